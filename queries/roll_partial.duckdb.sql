-- Note that a step has added a partial.
INSERT INTO rollup_partials VALUES (0)
