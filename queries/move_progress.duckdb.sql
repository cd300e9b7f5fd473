-- Move the progress mark, if it is where the group begins; the answer is the number of rows hit.
UPDATE progress
SET
    epoch = {epoch:UInt32},
    stream_created = {stream_created:String},
    sequence = {sequence:UInt64},
    message_id = {message_id:String},
    message_time = {message_time:Int64}
WHERE epoch = {before_epoch:UInt32} AND sequence = {before_sequence:UInt64}
