"""`headrace backup` and `headrace restore`, for the embedded layout (docs/decisions/0023)."""
