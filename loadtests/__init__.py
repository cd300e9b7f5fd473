"""Load tests: what the service does under load, measured."""
