"""Who may do what: environments and their API keys. Nothing here hears of HTTP."""
