-- What is left of some environments from before a moment, if anything is: how many events, in any
-- table. A deletion that was cut short, or met a late event, may have left rows in one of them.
SELECT CAST({before:Int64} AS Int64) AS before, CAST(sum(counted) AS Int64) AS events
FROM (
    SELECT count(*) AS counted, 0 AS others
    FROM events
    WHERE tenant IN {tenants:Array(String)} AND timestamp < {before:Int64}
    UNION ALL
    SELECT 0 AS counted, count(*) AS others
    FROM events_by_minute
    WHERE tenant IN {tenants:Array(String)} AND minute < {before:Int64}
    UNION ALL
    SELECT 0 AS counted, count(*) AS others
    FROM users_by_quarter
    WHERE tenant IN {tenants:Array(String)} AND quarter < {before:Int64}
    UNION ALL
    SELECT 0 AS counted, count(*) AS others
    FROM users_by_day
    WHERE tenant IN {tenants:Array(String)} AND day < {before:Int64}
    UNION ALL
    SELECT 0 AS counted, count(*) AS others
    FROM sessions_by_quarter
    WHERE tenant IN {tenants:Array(String)} AND quarter < {before:Int64}
) AS tables
HAVING sum(counted) + sum(others) > 0
