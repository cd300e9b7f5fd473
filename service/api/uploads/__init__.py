"""`/api/v1/uploads`: CSV files to be delivered to an HTTP API, followed, reported."""
