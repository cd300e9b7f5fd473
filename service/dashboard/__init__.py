"""The dashboard: one page, which asks what any client can ask."""
