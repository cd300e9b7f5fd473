-- Say until when a migrator will be at work; 0 when it is done.
INSERT INTO migrators (holder, turn, until)
VALUES ({holder:String}, {turn:UInt32}, {until:Int64})
