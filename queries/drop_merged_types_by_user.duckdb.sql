-- Drop the partials of one level of types_by_user, which are merged.
DELETE FROM types_by_user WHERE level = {level:UInt8}
