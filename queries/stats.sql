-- How many events there are, and how many were received from a moment on.
SELECT
    (
        SELECT CAST(coalesce(sum(events), 0) AS BIGINT)
        FROM events_by_minute
        WHERE tenant = {tenant:String}
    ) AS events,
    (
        SELECT count(*)
        FROM events
        WHERE tenant = {tenant:String} AND received_at >= {received_from:Int64}
    ) AS received
