"""The read road: from parameters to an answer, cache first."""
