"""Which hosts a user's connectors may reach, and that they reach no other."""
