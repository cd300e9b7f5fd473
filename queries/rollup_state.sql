-- Up to where the rows are rolled up.
SELECT position FROM rolled
