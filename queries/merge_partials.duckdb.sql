-- Note that a level has a new partial.
INSERT INTO rollup_partials VALUES ({level:UInt8} + 1)
