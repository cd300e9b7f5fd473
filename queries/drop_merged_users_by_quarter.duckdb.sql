-- Drop the partials of one level of users_by_quarter, which are merged.
DELETE FROM users_by_quarter WHERE level = {level:UInt8}
