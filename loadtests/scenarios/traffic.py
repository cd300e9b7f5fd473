"""The requests of a scenario, and when each is due. The same seed makes the same traffic."""

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from loadtests.bodies import EVENT_TYPES, USERS, WEIGHTS
from loadtests.scenarios.written import Scenario
from service.errors import InvalidInput
from service.recordings import PACKAGED, recording
from service.recordings.recording import BadLine, Recording
from service.replay.parcels import TICK

_EVENTS_A_SESSION = 10
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Batch:
    """One request with events."""

    due: float
    """Seconds after the beginning."""
    tenant: int
    body: bytes
    fresh: list[bool]
    """Of each event, whether it is sent for the first time; the others are repeats."""


@dataclass(slots=True)
class Ask:
    """One question."""

    due: float
    read: int
    """Which of the scenario's."""


@dataclass(slots=True)
class _Parcel:
    """Events in the words of the API, without ids of this run; and how long until the next."""

    events: list[dict[str, Any]]
    pause: float


@dataclass(slots=True)
class _Earlier:
    """The events that one tenant was sent last."""

    most: int
    events: list[bytes] = field(default_factory=list)
    sent: int = 0

    def keep(self, event: bytes) -> None:
        if len(self.events) < self.most:
            self.events.append(event)
        else:
            self.events[self.sent % self.most] = event
        self.sent += 1


def source(scenario: Scenario, folder: Path) -> Recording | None:
    """The recording that a scenario names, beside its file; None where events are made by rule."""
    name = scenario.events.recording
    if name is None:
        return None
    return recording(name if name in PACKAGED else folder / name)


def batches(
    scenario: Scenario, recorded: Recording | None, run: str, began: float
) -> Iterator[Batch]:
    """All requests with events, in order. `began` is a moment in seconds since 1970 UTC.

    An event happened when its request is due, unless it is late. Its id, user and session begin
    with `run`, by which this run's events can be told from all others.
    """
    dice = random.Random(scenario.seed)
    shares = [1 / rank**scenario.tenants.skew for rank in range(1, scenario.tenants.count + 1)]
    earlier = [_Earlier(scenario.repeats.within) for _ in shares]
    numbers = itertools.count()
    due = 0.0
    for parcel in _parcels(scenario, recorded, dice):
        [tenant] = dice.choices(range(len(shares)), shares)
        events, fresh = [], []
        for event in parcel.events:
            fresh.append(not _repeats(scenario, earlier[tenant], dice))
            if fresh[-1]:
                when = began + due - _lateness(scenario, dice)
                earlier[tenant].keep(_encode(_of_this_run(event, run, next(numbers), when)))
            events.append(
                _last(earlier[tenant]) if fresh[-1] else dice.choice(earlier[tenant].events)
            )
        yield Batch(due, tenant, b'{"events":[%b]}' % b",".join(events), fresh)
        due = round(due + parcel.pause / _times(scenario, due), 6)
        if due >= scenario.duration:
            return


def asks(scenario: Scenario) -> Iterator[Ask]:
    """All questions, in the order in which they are due."""
    due = [(1 / read.rate, number) for number, read in enumerate(scenario.reads)]
    while due:
        moment, number = min(due)
        if moment >= scenario.duration:
            return
        yield Ask(moment, number)
        due[number] = (moment + 1 / scenario.reads[number].rate, number)


def _parcels(
    scenario: Scenario, recorded: Recording | None, dice: random.Random
) -> Iterator[_Parcel]:
    """What one request carries, for as long as anybody asks."""
    written = scenario.events
    if recorded is not None and written.speed is not None:
        yield from _at_speed(_recorded(recorded), written.batch, written.speed)
        return
    rate = written.rate or 1.0
    size = max(1, min(written.batch, int(rate * TICK)))
    events = _made(dice) if recorded is None else (event for _, event in _recorded(recorded))
    while True:
        wait = dice.expovariate(1.0) if written.arrivals == "poisson" else 1.0
        yield _Parcel(list(itertools.islice(events, size)), wait * size / rate)


def _at_speed(
    events: Iterator[tuple[int, dict[str, Any]]], batch: int, speed: float
) -> Iterator[_Parcel]:
    """Events that were recorded within a tick go together, as many as a request may carry.

    Where a recording goes back in time, what comes next is due at once.
    """
    parcel: list[dict[str, Any]] = []
    first, latest = 0, None
    for at, event in events:
        latest = at if latest is None else max(at, latest)
        if len(parcel) == batch or (parcel and latest - first > speed * TICK * 1000):
            yield _Parcel(parcel, (latest - first) / 1000 / speed)
            parcel = []
        first = first if parcel else latest
        parcel.append(event)


def _recorded(recorded: Recording) -> Iterator[tuple[int, dict[str, Any]]]:
    """The recording again and again, its times going on; lines that are no event are passed by.

    Raises InvalidInput if it has no event at all.
    """
    length = 0
    for times in itertools.count():
        first, last = math.inf, -math.inf
        for record in recorded.records():
            if not isinstance(record, BadLine):
                first, last = min(first, record.at), max(last, record.at)
                yield record.at + times * length, record.fields
        if first > last:
            raise InvalidInput(f"{recorded.name}: no event in it")
        length = int(last - first) + 1


def _made(dice: random.Random) -> Iterator[dict[str, Any]]:
    """Events by rule: few users are busy, sessions of about ten events interleave."""
    for number in itertools.count():
        yield {
            "sessionId": f"session_{(number + dice.randrange(2000)) // _EVENTS_A_SESSION:08d}",
            "userId": f"user_{int(USERS * dice.random() ** 3):08x}",
            "eventType": dice.choices(EVENT_TYPES, WEIGHTS)[0],
            "metadata": {"source": dice.choice(("web", "ios", "android"))},
            "payload": {"amount": round(dice.gammavariate(2, 20), 2), "page": "/products/reviews"},
        }


def _of_this_run(event: dict[str, Any], run: str, number: int, when: float) -> dict[str, Any]:
    moment = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
    return {
        **event,
        "eventId": f"{run}-{number:09d}",
        "userId": f"{run}-{event['userId']}",
        "sessionId": f"{run}-{event['sessionId']}",
        "timestamp": moment,
    }


def _repeats(scenario: Scenario, earlier: _Earlier, dice: random.Random) -> bool:
    return bool(earlier.events) and dice.random() < scenario.repeats.share


def _last(earlier: _Earlier) -> bytes:
    return earlier.events[(earlier.sent - 1) % earlier.most]


def _lateness(scenario: Scenario, dice: random.Random) -> float:
    late = scenario.late
    return dice.random() * late.by if dice.random() < late.share else 0.0


def _times(scenario: Scenario, due: float) -> float:
    """How many times the usual traffic there is at this moment."""
    bursts = scenario.bursts
    return bursts.times if bursts and due % bursts.every >= bursts.every - bursts.lasts else 1.0
