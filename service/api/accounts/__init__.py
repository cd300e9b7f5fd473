"""What is ours of accounts: the audit log."""
