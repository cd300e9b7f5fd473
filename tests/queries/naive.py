"""The answers of `metrics` and `numbers` the slow way: one event after the other, in plain Python.

Buckets are found by walking along the local clock, tick by tick: a new one begins where the clock
shows a multiple of the interval or has jumped over one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from service.events import Event

_MINUTE = 60_000
_DAY = 86_400_000
_MONDAY = datetime(1970, 1, 5)  # noqa: DTZ001


def naive_metrics(
    events: Sequence[Event],
    start: int,
    end: int,
    interval: int,
    zone: str,
    event_type: str = "",
    user_id: str = "",
    limit: int = 10,
) -> dict:
    found = [e for e in events if start <= _ms(e.timestamp) < end]
    found = [e for e in found if event_type in ("", e.event_type) and user_id in e.user_id]
    types = Counter(e.event_type for e in found)
    users = Counter(e.user_id for e in found if e.user_id)
    return {
        "totalEvents": len(found),
        "timeRange": {"start": _iso(start), "end": _iso(end)},
        "eventsByType": [
            {"eventType": name, "count": n, "percentage": round(100 * n / len(found), 1)}
            for name, n in _ranked(types)
        ],
        "topUsers": [_user(name, n, found) for name, n in _ranked(users)[:limit]],
        "eventsOverTime": _over_time(found, start, end, interval, zone),
        "avgEventsPerUser": round(len(found) / len(users), 2) if users else 0,
        "uniqueUsers": len(users),
        "uniqueSessions": len({e.session_id for e in found} - {""}),
    }


def _user(name: str, count: int, found: Sequence[Event]) -> dict:
    own = [e for e in found if e.user_id == name]
    return {
        "userId": name,
        "eventCount": count,
        "lastEventAt": _iso(max(_ms(e.timestamp) for e in own)),
        "eventTypes": [kind for kind, _ in _ranked(Counter(e.event_type for e in own))],
    }


def _over_time(
    found: Sequence[Event], start: int, end: int, interval: int, zone: str
) -> list[dict]:
    starts = list(edges(start, end, interval, zone))
    counts = [
        sum(edge <= _ms(e.timestamp) < later for e in found)
        for edge, later in zip(starts, [*starts[1:], end], strict=True)
    ]
    return [{"timestamp": _iso(edge), "count": n} for edge, n in zip(starts, counts, strict=True)]


def edges(start: int, end: int, interval: int, zone: str) -> Iterator[int]:
    tick = min(interval, _MINUTE)
    clock = ZoneInfo(zone)
    first = None
    inside = []
    before = None
    begin = start - interval - _DAY
    for at in range(begin // tick * tick, end, tick):
        local = (datetime.fromtimestamp(at / 1000, clock).replace(tzinfo=None) - _MONDAY) // (
            timedelta(milliseconds=1)
        )
        if local % interval == 0 or (before is not None and local // interval > before // interval):
            if at <= start:
                first = at
            else:
                inside.append(at)
        before = local
    yield first
    yield from inside


def _ranked(counts: Counter) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _iso(ms: int) -> str:
    moment = datetime(1970, 1, 1) + timedelta(milliseconds=ms)  # noqa: DTZ001
    return moment.isoformat(timespec="milliseconds" if ms % 1000 else "seconds") + "Z"
