"""Connectors: one kind of system a file, each behind the protocol of sources and targets."""
