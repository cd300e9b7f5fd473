-- Forget the partials of one level, which are merged.
DELETE FROM rollup_partials WHERE level = {level:UInt8}
