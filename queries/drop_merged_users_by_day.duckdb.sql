-- Drop the partials of one level of users_by_day, which are merged.
DELETE FROM users_by_day WHERE level = {level:UInt8}
