-- Note that a step is done.
INSERT INTO migrations (name, step, checksum)
VALUES ({name:String}, {step:UInt32}, {checksum:String})
