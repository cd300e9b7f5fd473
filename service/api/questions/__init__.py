"""The face that is ours alone: receipts, and the numbers of the payload."""
