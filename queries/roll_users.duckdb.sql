-- Add the users whom a step brings for the first time to users.
INSERT INTO users
SELECT step.tenant, step.user_key, step.user_id
FROM (
    SELECT tenant, user_key, any_value(user_id) AS user_id
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
    GROUP BY tenant, user_key
) AS step
ANTI JOIN users ON users.tenant = step.tenant AND users.user_key = step.user_key
