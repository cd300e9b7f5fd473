-- Bytes on disk: of the events themselves, and of everything the database keeps.
SELECT
    sumIf(bytes_on_disk, table = 'events') AS events,
    sum(bytes_on_disk) AS everything
FROM system.parts
WHERE active AND database = currentDatabase()
