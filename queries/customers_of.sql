-- Which of some environments have customers.
SELECT DISTINCT tenant
FROM customers
WHERE tenant IN {tenants:Array(String)}
ORDER BY tenant
