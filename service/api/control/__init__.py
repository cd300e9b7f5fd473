"""The control face: users, environments, teams."""
