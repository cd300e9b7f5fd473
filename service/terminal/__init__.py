"""Questions asked of a running service from the terminal, and their answers drawn there."""
