"""Users who are erased: how that is asked for, and how it is carried out (docs/decisions/0019)."""
