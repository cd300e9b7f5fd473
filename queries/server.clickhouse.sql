-- The clock of the server (ms since 1970 UTC), and the bytes on its fullest disk.
SELECT
    toUnixTimestamp64Milli(now64(3)) AS now,
    argMin(free_space, free_space / total_space) AS free,
    argMin(total_space, free_space / total_space) AS total,
    version() AS version
FROM system.disks
WHERE total_space > 0
