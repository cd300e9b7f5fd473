"""A shop's clickstream, made from a seed: the same events whenever and wherever it is made.

Two hundred visitors over four weeks from Monday, 1 June 2026. Each comes on some days, from one
country and one channel, looks at pages, and now and then puts something into the cart and pays.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from service.events import Event

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
WEEKS = 4
VISITORS = 200
_COUNTRIES, _CHANNELS = ("DE", "FR", "CZ", "US"), ("search", "mail", "ad")
_NEXT = {
    "home": ("list", "list", "search", "product"),
    "search": ("list", "product", "search"),
    "list": ("product", "product", "list", "home"),
    "product": ("product", "cart", "list", "home"),
    "cart": ("checkout", "checkout", "product", "list"),
    "checkout": ("paid", "paid", "cart"),
    "paid": ("home",),
}
"""What follows a page, each as likely as the others beside it."""
_GOES_ON = 0.8


def clickstream(seed: int = 1) -> list[Event]:
    """The events, by time."""
    random = Random(seed)
    found = [event for n in range(VISITORS) for event in _visitor(random, f"visitor{n:03}")]
    found.sort(key=lambda event: event.timestamp)
    for number, event in enumerate(found):
        event.event_id = f"click{number}"
    return found


def _visitor(random: Random, user: str) -> Iterator[Event]:
    traits = {"country": random.choice(_COUNTRIES), "channel": random.choice(_CHANNELS)}
    first, habit = random.randrange(7 * WEEKS), random.choice((0.05, 0.2, 0.6))
    for day in range(first, 7 * WEEKS):
        if day == first or random.random() < habit:
            begun = BEGIN + timedelta(days=day, seconds=random.randrange(6 * 3600, 23 * 3600))
            yield from _visit(random, user, traits, begun, f"{user}-{day}")


def _visit(
    random: Random, user: str, traits: dict[str, str], at: datetime, session: str
) -> Iterator[Event]:
    page = "home"
    while True:
        priced = {"price": random.randrange(5, 200)} if page in {"product", "cart", "paid"} else {}
        yield Event(
            event_type=page,
            user_id=user,
            session_id=session,
            timestamp=at,
            payload={**traits, **priced},
        )
        if random.random() > _GOES_ON:
            return
        page = random.choice(_NEXT[page])
        at += timedelta(seconds=random.randrange(2, 300))
