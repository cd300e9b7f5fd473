-- Whether the engine answers.
SELECT 1 AS alive
