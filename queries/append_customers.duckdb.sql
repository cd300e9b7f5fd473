-- Keep what a group's rows say of customers; `rows` is the Arrow table of `append_rows`.
INSERT INTO customers
SELECT
    tenant,
    user_id,
    CASE event_type WHEN 'customer.profile' THEN '' ELSE coalesce(json_extract_string(payload, '$.list_name'), '') END,
    timestamp,
    position,
    ordinal,
    event_id,
    received_at,
    CASE event_type WHEN 'customer.profile' THEN payload ELSE coalesce(json_extract(payload, '$.ext_data'), '') END
FROM rows
WHERE event_type IN ('customer.profile', 'customer.attributes')
