-- What the ledger calls this store: the identity of its table of events.
SELECT toString(uuid) AS identity
FROM system.tables
WHERE database = currentDatabase() AND name = 'events'
