"""Queries: beside the same question written by hand for the bare engine, beside a peer, and live.

By hand stands in `loadtests/by_hand/query_*`: one statement over the rows, on a connection that
nobody else uses, before the service opens the file. The service's figure is the whole way: a POST
with a query that no cache can answer, up to the last byte.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from loadtests.dataset import DAY, TENANTS
from loadtests.figures import Figure
from loadtests.filled import fill
from loadtests.processes import API_KEY, Failed, Subject, headrace
from loadtests.questions import loaded
from loadtests.scale import Scale
from service.settings import Settings
from service.storage.statements import in_dialect

BY_HAND = Path(__file__).parent / "by_hand"
_WARM = 2
"""Calls that are not measured."""
_TIMES, _PLUS = 1.3, 3.0
"""What the whole way may take: so many times the bare engine, and so many ms."""
_REALTIME = 100.0
_PEERS_ROWS = 1_100_000
_FIRST_LIMIT = 50

Document = Mapping[str, Any]
QUERIES: dict[str, tuple[int, Document]] = {
    "days": (7, {"metrics": ["events"], "dimensions": ["time"], "interval": "1d"}),
    "types": (1, {"metrics": ["events"], "dimensions": ["eventType"]}),
    "path": (
        1,
        {
            "metrics": ["events"],
            "filters": [{"op": "is", "field": "payload.referrer", "value": "example.org"}],
        },
    ),
    "users": (1, {"metrics": ["users"]}),
}
"""Each over how many days."""
_ABOUT = {
    "days": "count by day, 7 d",
    "types": "top types, 24 h",
    "path": "a payload filter, 24 h",
    "users": "unique users, 24 h",
}
PEER: dict[str, tuple[float, Document]] = {
    "24 h stats": (119.0, {"metrics": ["events", "users", "sessions"]}),
    "24 h series": (95.0, {"metrics": ["events"], "dimensions": ["time"], "interval": "1h"}),
    "24 h top 10": (57.0, {"metrics": ["events"], "dimensions": ["eventType"]}),
}
"""What Umami 3 on PostgreSQL took, measured once on such a machine over 1.1 M events, in ms."""


def by_hand(data_dir: Path, scale: Scale) -> dict[str, float]:
    """Milliseconds of each statement by hand, at the median, while nobody else has the file."""
    limits: dict[str, Any] = {"threads": "2", "memory_limit": Settings().duckdb_memory}
    path = data_dir / "events.duckdb"
    with duckdb.connect(path, read_only=True, config=limits) as connection:
        return {name: _asked_by_hand(connection, name, scale) for name in QUERIES}


async def queries(scale: Scale, service: Subject, best: Mapping[str, float]) -> list[Figure]:
    """Each query over HTTP, uncached, beside the same by hand."""
    found = []
    for name, (days, document) in QUERIES.items():
        took = await _each(scale, service, {**document, "range": _range(days)})
        found.append(
            Figure(
                name=f"query.{name}",
                about=f"Query over {scale.rows / 1e6:g} M events: {_ABOUT[name]}, p50",
                value=statistics.median(took),
                unit="ms",
                better="less",
                limit=best[name],
                limit_about="by hand in the bare engine",
                target=_TIMES * best[name] + _PLUS,
            )
        )
    return found


async def realtime(scale: Scale, service: Subject, rate: float) -> list[Figure]:
    """Windows that slide to now, each asked anew, while `rate` events a second come in."""
    async with loaded(service, rate):
        took = await asyncio.to_thread(_windows, service, scale)
    return [
        Figure(
            name="realtime.p99",
            about=f"Realtime window over {scale.rows / 1e6:g} M events while more come in, p99",
            value=max(took) if len(took) < 100 else statistics.quantiles(took, n=100)[-1],
            unit="ms",
            better="less",
            target=_REALTIME,
        ),
        Figure(
            name="realtime.p50",
            about="… p50",
            value=statistics.median(took),
            unit="ms",
            better="less",
        ),
    ]


async def beside_peer(scale: Scale) -> list[Figure]:
    """The peer's three questions, over as many events as it had."""
    rows = min(scale.rows, _PEERS_ROWS)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        await fill(Path(folder) / "data", rows)
        with headrace(Path(folder) / "data") as service:
            return [
                Figure(
                    name=f"peer.{name}",
                    about=f"{name} over {rows / 1e6:g} M events, p50",
                    value=statistics.median(
                        await _each(scale, service, {**document, "range": "24h"})
                    ),
                    unit="ms",
                    better="less",
                    limit=peers,
                    limit_about="Umami 3 on PostgreSQL",
                    target_ratio=0.1,
                )
                for name, (peers, document) in PEER.items()
            ]


def _asked_by_hand(connection: duckdb.DuckDBPyConnection, name: str, scale: Scale) -> float:
    paths = (BY_HAND / f"query_{name}.duckdb.sql", BY_HAND / f"query_{name}.sql")
    text = in_dialect(next(p for p in paths if p.is_file()).read_text("utf-8"), "duckdb")
    time_asked = _range_ms(QUERIES[name][0])
    values = {"tenant": TENANTS[0], "start": time_asked[0], "end": time_asked[1]}
    return statistics.median(
        _timed(lambda: connection.execute(text, values).fetchall(), scale.questions)
    )


async def _each(scale: Scale, service: Subject, document: Document) -> list[float]:
    """Milliseconds of each asking; the limit, which changes no work, makes each a new question."""
    limits = iter(range(_FIRST_LIMIT, _FIRST_LIMIT + scale.questions + _WARM))

    def ask(connection: HTTPConnection) -> None:
        body = msgspec.json.encode({**document, "limit": next(limits)})
        answer = _answer(connection, "POST", "/api/v1/analytics/query", body)
        if b'"cached":false' not in answer:
            raise Failed("an answer came from the cache")

    def measure() -> list[float]:
        with _connected(service) as connection:
            return _timed(lambda: ask(connection), scale.questions)

    return await asyncio.to_thread(measure)


def _windows(service: Subject, scale: Scale) -> list[float]:
    """Milliseconds of each window; every one has another length."""
    lengths = iter(range(300, 3600))
    metrics = "active_users,active_sessions,events,events_per_second"

    def ask() -> None:
        window = f"/v1/analytics/realtime?window={next(lengths)}s&metrics={metrics}"
        _answer(connection, "GET", window)

    with _connected(service) as connection:
        return _timed(ask, 4 * scale.questions)


def _timed(work: Callable[[], object], times: int) -> list[float]:
    took = []
    for _ in range(times + _WARM):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return took[_WARM:]


@contextmanager
def _connected(service: Subject) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", service.port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def _answer(connection: HTTPConnection, method: str, path: str, body: bytes = b"") -> bytes:
    headers = {"x-api-key": API_KEY, "content-type": "application/json"}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise Failed(f"{path}: {answer.status} {content[:300]!r}")
    return content


def _range_ms(days: int) -> tuple[int, int]:
    """Whole hours, the same ones for whoever asks within this hour."""
    end = time.time_ns() // 1_000_000 // 3_600_000 * 3_600_000
    return end - days * DAY, end


def _range(days: int) -> dict[str, str]:
    start, end = (time.gmtime(at / 1000) for at in _range_ms(days))
    return {"start": time.strftime(_ISO, start), "end": time.strftime(_ISO, end)}


_ISO = "%Y-%m-%dT%H:%M:%SZ"
