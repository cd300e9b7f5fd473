-- What holds in a snapshot: up to where the rows are rolled up, and how far the stream is read.
SELECT rolled.position AS rolled, epoch, stream_created, sequence, message_id, message_time
FROM rolled, progress
