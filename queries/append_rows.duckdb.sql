-- Store a group's rows, an Arrow table in the order of the table's columns.
INSERT INTO events
SELECT * FROM rows
