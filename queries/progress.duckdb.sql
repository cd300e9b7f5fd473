-- How far the store has read the stream.
SELECT epoch, stream_created, sequence, message_id, message_time
FROM progress
