"""Event stores: one protocol, one engine a file."""
