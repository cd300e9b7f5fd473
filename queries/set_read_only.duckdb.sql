-- Nothing that follows, up to the end of the transaction, changes anything.
BEGIN TRANSACTION READ ONLY
