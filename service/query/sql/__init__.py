"""Read-only SQL over an environment's own events and customers: docs/api-sql.md."""
