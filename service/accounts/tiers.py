"""Tiers: how much an environment, and each of its keys, may ask for."""

FREE = "free"
ENTERPRISE = "enterprise"
"""The tier without a rate limit."""

TIERS = (FREE, "basic", "pro", ENTERPRISE)
"""From the smallest to the largest."""


def is_within(tier: str, largest: str) -> bool:
    """Whether `tier` asks for no more than `largest`."""
    return TIERS.index(tier) <= TIERS.index(largest)
