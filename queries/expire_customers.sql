-- Delete all that was told of the customers of some environments.
DELETE FROM customers
WHERE tenant IN {tenants:Array(String)}
