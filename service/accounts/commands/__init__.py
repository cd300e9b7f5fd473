"""What operators do with the accounts of a data directory, also beside a running service."""
