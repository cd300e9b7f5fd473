"""Two tenants who do the same at the same time, in whatever order.

Both have the same few event ids, users, sessions, customers, questions, idempotency keys, accounts
of partners and names of what they make.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

import httpx2
from hypothesis import strategies as some

from service.api.signed.records import KINDS
from service.query.customers import ATTRIBUTES, PROFILE
from tests.flows.tenants.asking import (
    ask,
    ask_saved,
    ask_thedata,
    count_all,
    export,
    follow,
    follow_users,
    look_at_customers,
    query,
    select,
    sum_up,
)
from tests.flows.tenants.dropping_in import (
    POSTHOG,
    SEGMENT,
    call_as_segment,
    capture_as_posthog,
)
from tests.flows.tenants.forgetting import erase
from tests.flows.tenants.governing import (
    invite,
    let_in,
    look_after_keys,
    look_after_places,
    look_after_teams,
    look_after_tokens,
    look_at_people,
    look_at_the_audit_log,
    send_a_robot,
    sign_out,
    speak_for_the_other,
)
from tests.flows.tenants.listening import hearing, listen
from tests.flows.tenants.mending import mend_letters
from tests.flows.tenants.piping import (
    look_after_connectors,
    look_after_pipelines,
    look_after_sources,
    try_connectors,
)
from tests.flows.tenants.sending import ingest, ingest_one, ingest_points, push, send, send_one
from tests.flows.tenants.side import PATIENCE, Event, Side, a_side
from tests.flows.tenants.uploading import look_after_uploads
from tests.whole import Whole

Step = Callable[[Side, Side], None]

QUESTIONS = [{}, {"eventType": "type 1"}, {"userId": "user 1"}]
LOOKS: list[Step] = [
    *(partial(ask, question=question) for question in QUESTIONS),
    sum_up,
    query,
    select,
    follow_users,
    ask_thedata,
    ask_saved,
    export,
    listen,
    count_all,
    follow,
    look_at_customers,
    look_at_the_audit_log,
]
"""What can be asked; in the end all of it is."""
CARES: list[Step] = [
    look_after_keys,
    look_after_tokens,
    look_after_teams,
    invite,
    let_in,
    look_at_people,
    look_after_places,
    look_after_pipelines,
    look_after_connectors,
    look_after_sources,
    look_after_uploads,
    try_connectors,
    send_a_robot,
    sign_out,
    erase,
    mend_letters,
    speak_for_the_other,
]
"""What can be looked after. Most of it makes something, and both give it the same name."""

_stories = count()


def _few(name: str) -> some.SearchStrategy[str]:
    return some.integers(0, 2).map(lambda number: f"{name} {number}")


_PRICES = some.integers(0, 9)
EVENTS = some.fixed_dictionaries(
    {
        "eventId": _few("event"),
        "eventType": _few("type") | some.sampled_from([PROFILE, ATTRIBUTES]),
        "userId": _few("user"),
        "sessionId": _few("session"),
        "timestamp": some.integers(10, 14).map(lambda hour: f"2026-01-02T{hour}:00:00Z"),
        "payload": some.fixed_dictionaries(
            {
                "price": _PRICES,
                "list_name": _few("list"),
                "ext_data": some.fixed_dictionaries({"score": _PRICES}),
            }
        ),
    }
)
_SEVERAL = some.lists(EVENTS, min_size=1, max_size=4)
_KEYS = some.none() | _few("key")


def _to(door: Callable[..., None], **what: some.SearchStrategy[Any]) -> some.SearchStrategy[Step]:
    return some.builds(partial, some.just(door), **what)


SENDING = some.one_of(
    _to(send, events=_SEVERAL, key=_KEYS),
    _to(ingest, events=_SEVERAL, key=_KEYS),
    _to(send_one, event=EVENTS),
    _to(ingest_one, event=EVENTS),
    _to(ingest_points, events=_SEVERAL),
    _to(
        call_as_segment,
        kind=some.sampled_from(SEGMENT),
        event=EVENTS,
        in_batch=some.booleans(),
    ),
    _to(capture_as_posthog, path=some.sampled_from(POSTHOG), event=EVENTS),
    _to(push, name=some.sampled_from(list(KINDS)), event=EVENTS, in_path=some.booleans()),
)
STEPS = some.lists(
    some.tuples(some.booleans(), SENDING | SENDING | some.sampled_from([*LOOKS, *CARES])),
    min_size=6,
    max_size=16,
)
"""Who does it (the first or the second), and what."""


def act(whole: Whole, steps: Sequence[tuple[bool, Step]]) -> list[Side]:
    """Two new tenants do all this in turn, listening meanwhile, and ask everything at the end."""
    guest = f"guest{next(_stories)}@example.com"
    with ExitStack() as open_while, httpx2.Client(base_url=whole.url, timeout=PATIENCE) as client:
        sides = [a_side(whole, client, guest) for _ in range(2)]
        ears = [open_while.enter_context(hearing(side)) for side in sides]
        for is_second, step in [*steps, *_both(LOOKS)]:
            step(sides[is_second], sides[not is_second])
        for ear in ears:
            ear.hear_out()
    return sides


def doors() -> list[tuple[bool, Step]]:
    """A story in which the first sends by every door, and the second the same by every other."""
    ours: list[Step] = [
        partial(send_one, event=_event(0)),
        partial(send, events=[_event(0), _event(1)], key=None),
        partial(ingest_one, event=_event(2)),
        partial(ingest, events=[_event(3)], key="key"),
        partial(ingest_points, events=[_event(4)]),
    ]
    partners = [
        partial(push, name=name, event=_event(5 + number), in_path=in_path)
        for number, name in enumerate(KINDS)
        for in_path in (True, False)
    ]
    drop_ins: list[Step] = [
        *(partial(capture_as_posthog, path=path, event=_event(50)) for path in POSTHOG),
        *(
            partial(call_as_segment, kind=kind, event=_event(51 + number), in_batch=in_batch)
            for number, kind in enumerate(SEGMENT)
            for in_batch in (True, False)
        ),
    ]
    both = _both([*ours, *partners, *drop_ins])
    return [one for number, one in enumerate(both) if number % 4 != 3]


def everything() -> list[tuple[bool, Step]]:
    """A story in which both do whatever there is."""
    return [*doors(), *_both(CARES)]


def _event(number: int) -> Event:
    return {
        "eventId": f"event {number}",
        "eventType": "type 1",
        "userId": f"user {number % 3}",
        "sessionId": "session 1",
        "timestamp": "2026-01-02T12:00:00Z",
        "payload": {"price": number},
    }


def _both(steps: Sequence[Step]) -> list[tuple[bool, Step]]:
    """Each of these by the first, then by the second."""
    return [(who, step) for step in steps for who in (False, True)]
