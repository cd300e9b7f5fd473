-- Delete all that was told of some customers.
DELETE FROM customers
WHERE tenant = {tenant:String} AND user_id IN {users:Array(String)}
