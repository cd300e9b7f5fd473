"""Letters to people: how they leave this process."""
