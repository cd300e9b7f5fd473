"""Tiers: how much an environment, and each of its keys, may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.limits import Limit
from service.settings import Settings

FREE = "free"
BASIC = "basic"
PRO = "pro"
ENTERPRISE = "enterprise"
"""The tier without a limit, unless a setting gives it one."""

TIERS = (FREE, BASIC, PRO, ENTERPRISE)
"""From the smallest to the largest."""

MINUTE = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller may ask for."""

    name: str
    """The tier's."""
    limit: Limit | None
    """Requests; None when there is no limit."""
    counts_events: bool
    """Whether a batch is worth its events, and not one request."""


def is_within(tier: str, largest: str) -> bool:
    """Whether `tier` asks for no more than `largest`."""
    return TIERS.index(tier) <= TIERS.index(largest)


def allowances(settings: Settings) -> Mapping[str, Allowance]:
    """What each tier may ask for."""
    per_minute = {
        FREE: settings.free_per_minute,
        BASIC: settings.basic_per_minute,
        PRO: settings.pro_per_minute,
        ENTERPRISE: settings.enterprise_per_minute,
    }
    dear = settings.events_cost_up_to
    return {
        tier: Allowance(
            tier,
            Limit("tier", times, MINUTE) if times else None,
            dear != "none" and is_within(tier, dear),
        )
        for tier, times in per_minute.items()
    }
