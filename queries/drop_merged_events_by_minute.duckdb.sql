-- Drop the partials of one level of events_by_minute, which are merged.
DELETE FROM events_by_minute WHERE level = {level:UInt8}
