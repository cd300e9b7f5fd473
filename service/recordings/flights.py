"""The 336,776 flights that left New York City in 2013, as events in the order they happened.

A flight is one event that says what became of it on the ground, `departed` or `cancelled`, and if
it landed where it was bound for, a second one, `arrived`. The carrier is the user, the aircraft the
session. `docs/recordings.md` has the mapping, the source and the licence.
"""

import csv
import heapq
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

import zstandard

from service.recordings.recording import Extent, Record

FLIGHTS_FILE = "flights_2013.csv.zst"
AIRPORTS_FILE = "flights_2013_airports.csv"

KEPT = (
    "month",
    "day",
    "sched_dep_time",
    "dep_delay",
    "arr_time",
    "arr_delay",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "air_time",
    "distance",
)
"""The columns of the packaged copy; `dep_delay`… are empty where the source has no value."""

NO_AIRCRAFT = "unassigned"
"""The session of a flight that was cancelled before it had an aircraft."""

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * 60
_EARLIEST_DEPARTURE = 2 * _HOUR
"""No flight left this long before its schedule (the earliest: 43 minutes)."""


class Flight(NamedTuple):
    """A row of the packaged copy, with the types of its values. Delays and times in minutes."""

    month: int
    day: int
    sched_dep_time: str
    dep_delay: int | None
    arr_time: str
    arr_delay: int | None
    carrier: str
    flight: str
    tailnum: str
    origin: str
    dest: str
    air_time: int | None
    distance: int


class Flights:
    """The recording as `headrace replay flights-2013` and the demo replay it."""

    name = "flights-2013"

    def extent(self) -> Extent:
        """Known beforehand, so that nobody reads it twice; a test counts."""
        return Extent(events=664_839, bad=0, first=1_357_035_420_000, last=1_388_573_580_000)

    def records(self) -> Iterator[Record]:
        """Every event, by time and then by id."""
        waiting: list[Waiting] = []
        today = (0, 0)
        for row, flight in enumerate(flights(), start=2):
            if (flight.month, flight.day) != today:
                today = (flight.month, flight.day)
                midnight = _utc("America/New_York", *today, 0)
                yield from _due(waiting, midnight - _EARLIEST_DEPARTURE)
            for record in events_of(flight, row):
                heapq.heappush(waiting, (record.at, record.fields["eventId"], record))
        yield from _due(waiting, None)


Waiting = tuple[int, str, Record]
"""An event that an earlier one may still overtake: its time, its id, itself."""


def _due(waiting: list[Waiting], until: int | None) -> Iterator[Record]:
    while waiting and (until is None or waiting[0][0] < until):
        yield heapq.heappop(waiting)[2]


def flights() -> Iterator[Flight]:
    """The rows of the packaged copy, in its order: by scheduled departure."""
    packed = (files("service.recordings") / FLIGHTS_FILE).open("rb")
    with packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        rows = csv.reader(io.TextIOWrapper(stream, "utf-8", newline=""))
        next(rows)
        for row in rows:
            yield _flight(row)


def _flight(row: list[str]) -> Flight:
    return Flight(
        month=int(row[0]),
        day=int(row[1]),
        sched_dep_time=row[2],
        dep_delay=_number(row[3]),
        arr_time=row[4],
        arr_delay=_number(row[5]),
        carrier=row[6],
        flight=row[7],
        tailnum=row[8],
        origin=row[9],
        dest=row[10],
        air_time=_number(row[11]),
        distance=int(row[12]),
    )


def _number(text: str) -> int | None:
    return int(text) if text else None


def events_of(flight: Flight, row: int) -> Iterator[Record]:
    """What one flight gives: `cancelled`, or `departed`, or that and `arrived`."""
    scheduled = departure_schedule(flight)
    if flight.dep_delay is None:
        yield _event(flight, row, "cancelled", scheduled, {})
        return
    departed = scheduled + flight.dep_delay * _MINUTE
    yield _event(flight, row, "departed", departed, {"dep_delay": flight.dep_delay})
    if flight.arr_time:
        landed = {"arr_delay": flight.arr_delay, "air_time": flight.air_time}
        known = {name: value for name, value in landed.items() if value is not None}
        yield _event(flight, row, "arrived", arrival(flight, departed), known)


def departure_schedule(flight: Flight) -> int:
    """When it should have left: New York's clock as ms UTC."""
    hour, minute = divmod(minutes_of_clock(flight.sched_dep_time), 60)
    return _utc("America/New_York", flight.month, flight.day, hour) + minute * _MINUTE


def arrival(flight: Flight, departed: int) -> int:
    """When it landed, ms UTC: the first moment after its time in the air at which the clock at the
    destination shows `arr_time`.

    The source has that clock without a date. No flight was on the ground for a day, so there is one
    such moment; a flight that was diverted has no time in the air and counts from its departure.
    """
    zone = zones()[flight.dest]
    clock = minutes_of_clock(flight.arr_time)
    earliest = departed + (flight.air_time or 0) * _MINUTE
    offsets = {_offset(zone, earliest // _HOUR), _offset(zone, earliest // _HOUR + 24)}
    guesses = {_next(clock, earliest, offset): offset for offset in offsets}
    return min(at for at, offset in guesses.items() if _offset(zone, at // _HOUR) == offset)


def _next(clock: int, earliest: int, offset: int) -> int:
    """When a clock that is ahead of UTC by `offset` shows those minutes of a day, ms UTC."""
    shown = (earliest + offset) // _MINUTE
    return earliest + (clock - shown) % _DAY * _MINUTE


def minutes_of_clock(hhmm: str) -> int:
    """`517` is 05:17, `2400` is the midnight that ends the day: minutes since it began."""
    hours, minutes = divmod(int(hhmm), 100)
    return hours * 60 + minutes


@cache
def zones() -> dict[str, str]:
    """The IANA zone of every airport in the recording."""
    text = (files("service.recordings") / AIRPORTS_FILE).read_text("utf-8")
    return {row["faa"]: row["zone"] for row in csv.DictReader(io.StringIO(text))}


@cache
def _utc(zone: str, month: int, day: int, hour: int) -> int:
    """An hour of 2013 on the zone's clock, ms UTC."""
    start = datetime(2013, month, day, tzinfo=ZoneInfo(zone)) + timedelta(hours=hour)
    return int(start.timestamp()) * 1000


@cache
def _offset(zone: str, hour: int) -> int:
    """What the zone's clock is ahead of UTC, in ms, in the given hour since 1970. In these zones
    clocks change on whole hours only."""
    ahead = datetime.fromtimestamp(hour * 3600, ZoneInfo(zone)).utcoffset()
    return int((ahead or timedelta()).total_seconds()) * 1000


def _event(flight: Flight, row: int, kind: str, at: int, about: dict[str, int]) -> Record:
    date = f"2013-{flight.month:02}-{flight.day:02}"
    event_id = f"{date}-{flight.carrier}-{flight.flight}-{flight.origin}-{kind}"
    fields = {
        "eventId": event_id,
        "eventType": kind,
        "userId": flight.carrier,
        "sessionId": flight.tailnum or NO_AIRCRAFT,
        "timestamp": datetime.fromtimestamp(at / 1000, UTC),
        "metadata": {"source": flight.origin},
        "payload": {
            "flight": f"{flight.carrier}{flight.flight}",
            "origin": flight.origin,
            "dest": flight.dest,
            "distance": flight.distance,
            **about,
        },
    }
    return Record(row, at, fields)
