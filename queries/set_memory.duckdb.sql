-- How much memory the statements of this connection may take: less than there is, so that what
-- users of SQL ask leaves room for the writer.
SET operator_memory_limit = '96MB'
