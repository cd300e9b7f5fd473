"""The only way in: check the records a face decoded, publish them, say what became of each.

Nothing is answered before the stream has acknowledged.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import msgspec
import numpy as np

from service.errors import InvalidInput
from service.events import Event, Rows, now_ms
from service.publisher import Place, Publisher
from service.receipts import Receipts
from service.settings import Settings
from service.telemetry import detailed, events_accepted, events_hinted, events_rejected, log
from service.turns import Turns

LARGEST_LEAD = 24 * 3600 * 1000
"""How far in the future (ms) an event's time may lie."""
EARLIEST = -62_135_596_800_000
"""The beginning of the year 1 in UTC, ms since 1970: no earlier time can be written down."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NAMES = (
    ("eventType", attrgetter("types")),
    ("userId", attrgetter("users")),
    ("sessionId", attrgetter("sessions")),
    ("eventId", attrgetter("ids")),
)


class Rejected(msgspec.Struct, frozen=True, rename="camel"):
    """Why one record of a batch was refused; `index` is its place in the request."""

    index: int
    event_id: str | None
    code: str
    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request's records; accepted, duplicates and rejected add up to them."""

    event_ids: Sequence[str | None]
    """One a record, in order; None for a refused record without an id."""
    accepted: int
    duplicates: int
    rejected: Sequence[Rejected]
    receipt: str | None
    """Where the request's events stand in the stream; None when nothing was published."""
    position: int | None


@dataclass(slots=True)
class _Take:
    """The records of one request on their way through the steps."""

    tenant: str
    idempotency_key: str | None
    now: int
    rows: Rows
    indexes: list[int]
    rejected: list[Rejected]
    event_ids: list[str | None]
    repeats: int = 0

    def drop(self, numbers: Iterable[int], field: str, message: str) -> None:
        """Refuse the rows with these numbers."""
        bad = set(numbers)
        for number in sorted(bad):
            index, event_id = self.indexes[number], self.rows.ids[number] or None
            self.rejected.append(Rejected(index, event_id, InvalidInput.code, field, message))
            self.event_ids[index] = event_id
        self.keep(n for n in range(len(self.rows)) if n not in bad)

    def keep(self, numbers: Iterable[int]) -> None:
        kept = list(numbers)
        self.rows = self.rows.take(kept)
        self.indexes = [self.indexes[n] for n in kept]


class Ingest:
    """Takes events of any tenant. Safe to call from many tasks at once."""

    def __init__(self, publisher: Publisher, receipts: Receipts, settings: Settings) -> None:
        self._publisher = publisher
        self._receipts = receipts
        self._settings = settings
        self.turns = Turns()
        """Whoever decodes records for `accept` takes his turn."""
        self._steps: Sequence[Callable[[_Take], None]] = (
            self._drop_control_characters,
            self._drop_impossible_times,
            self._drop_large_fields,
            self._drop_deep_fields,
            self._put_ids,
            self._drop_repeats,
        )

    async def accept(
        self,
        tenant: str,
        records: Sequence[Event | Rejected],
        idempotency_key: str | None = None,
        *,
        whole: bool = False,
    ) -> Verdict:
        """Publish the good records and return when the stream keeps them.

        A record that is `Rejected` already goes into the verdict as it is. With an
        `idempotency_key`, events without ids get ids derived from (tenant, key, index).

        `whole` publishes nothing when one of them is refused.

        Raises IngestionUnavailable when the stream does not acknowledge or too much is waiting;
        the same ids may then be sent again.
        """
        try:
            take = _take(tenant, records, idempotency_key)
        except _NOT_WRITABLE:
            writable = [_writable(n, record) for n, record in enumerate(records)]
            take = _take(tenant, writable, idempotency_key)
        del records  # a batch's objects are freed before the stream answers, while still warm
        for step in self._steps:
            step(take)
        for refused in take.rejected:
            events_rejected.labels(refused.code).inc()
        if not len(take.rows) or (whole and take.rejected):
            return _verdict(take, None, None)
        published = self._publisher.publish(tenant, take.rows)
        take.rows = Rows()
        place = await published
        receipt = self._receipts.issue(tenant, place.position, place.first, len(place.seen))
        verdict = _verdict(take, place, receipt)
        events_accepted.inc(verdict.accepted)
        events_hinted.inc(verdict.duplicates)
        _log_batch(tenant, verdict)
        return verdict

    # The steps. Each looks at whole columns first: good batches pass without a loop.

    def _drop_control_characters(self, take: _Take) -> None:
        for name, column_of in _NAMES:
            column = column_of(take.rows)
            if not "".join(column).isprintable():
                bad = [n for n, text in enumerate(column) if _CONTROL.search(text)]
                take.drop(bad, name, f"`{name}` must not hold control characters")

    def _drop_impossible_times(self, take: _Take) -> None:
        limit = take.now + LARGEST_LEAD
        if max(take.rows.times, default=0) > limit:
            bad = [n for n, at in enumerate(take.rows.times) if at > limit]
            take.drop(bad, "timestamp", "`timestamp` is more than 24 hours in the future")
        if min(take.rows.times, default=0) < EARLIEST:
            bad = [n for n, at in enumerate(take.rows.times) if at < EARLIEST]
            take.drop(bad, "timestamp", "`timestamp` is before the year 1 in UTC")

    def _drop_large_fields(self, take: _Take) -> None:
        limit = self._settings.max_field_bytes
        for name in ("metadata", "payload"):
            column = _json_column(take.rows, name)
            if max(map(len, column), default=0) > limit:
                bad = [n for n, text in enumerate(column) if len(text) > limit]
                take.drop(bad, name, f"`{name}` is larger than {limit} bytes of JSON")

    def _drop_deep_fields(self, take: _Take) -> None:
        limit = self._settings.max_depth
        for name in ("metadata", "payload"):
            column = _json_column(take.rows, name)
            if _openings(b"".join(column)) - len(column) >= limit:
                bad = [n for n, text in enumerate(column) if _is_deeper(text, limit)]
                take.drop(bad, name, f"`{name}` is nested deeper than {limit} levels")

    def _put_ids(self, take: _Take) -> None:
        ids = take.rows.ids
        if "" in ids:
            for number, event_id in enumerate(ids):
                if not event_id:
                    ids[number] = _new_id(take, take.indexes[number])
        if len(ids) == len(take.event_ids):
            take.event_ids = list(ids)
            return
        for index, event_id in zip(take.indexes, ids, strict=True):
            take.event_ids[index] = event_id

    def _drop_repeats(self, take: _Take) -> None:
        ids = take.rows.ids
        if (different := len(set(ids))) < len(ids):
            take.repeats = len(ids) - different
            first = {event_id: n for n, event_id in reversed(list(enumerate(ids)))}
            take.keep(sorted(first.values()))


def _take(tenant: str, records: Sequence[Event | Rejected], idempotency_key: str | None) -> _Take:
    refused = [r for r in records if isinstance(r, Rejected)]
    events = [r for r in records if not isinstance(r, Rejected)]
    event_ids: list[str | None] = [None] * len(records)
    for rejected in refused:
        event_ids[rejected.index] = rejected.event_id
    return _Take(
        tenant=tenant,
        idempotency_key=idempotency_key,
        now=now_ms(),
        rows=Rows.of(events),
        indexes=[n for n, r in enumerate(records) if not isinstance(r, Rejected)]
        if refused
        else list(range(len(records))),
        rejected=refused,
        event_ids=event_ids,
    )


_NOT_WRITABLE = (RecursionError, UnicodeEncodeError)
"""What a field raises that Python holds and JSON does not: bottomless, or half a character."""


def _writable(index: int, record: Event | Rejected) -> Event | Rejected:
    if isinstance(record, Rejected):
        return record
    for field in ("metadata", "payload"):
        try:
            msgspec.json.encode(getattr(record, field))
        except _NOT_WRITABLE as error:
            message = f"`{field}` cannot be written as JSON: {error}"
            return Rejected(index, record.event_id, InvalidInput.code, field, message)
    return record


def _verdict(take: _Take, place: Place | None, receipt: str | None) -> Verdict:
    published = len(place.seen) if place else 0
    seen = int(np.count_nonzero(place.seen)) if place else 0
    return Verdict(
        event_ids=take.event_ids,
        accepted=published - seen,
        duplicates=take.repeats + seen,
        rejected=sorted(take.rejected, key=lambda r: r.index),
        receipt=receipt,
        position=place.position if place else None,
    )


def _log_batch(tenant: str, verdict: Verdict) -> None:
    """Where a batch stands on the stream: the writer logs the same positions."""
    if detailed():
        log().debug(
            "ingest.accepted",
            environment=tenant,
            receipt=verdict.receipt,
            position=verdict.position,
            accepted=verdict.accepted,
            duplicates=verdict.duplicates,
            rejected=len(verdict.rejected),
        )


def _new_id(take: _Take, index: int) -> str:
    if take.idempotency_key is None:
        return f"evt_{secrets.token_hex(12)}"
    name = f"{take.tenant}\0{take.idempotency_key}\0{index}"
    return f"evt_{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}"


def _json_column(rows: Rows, name: str) -> list[bytes]:
    return rows.metadata if name == "metadata" else rows.payloads


def _openings(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _is_deeper(text: bytes, limit: int) -> bool:
    return _openings(text) > limit and _depth(msgspec.json.decode(text)) > limit


def _depth(value: object) -> int:
    """Levels of nesting, without recursion."""
    depth, level = 0, [value]
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        level = [c for v in level for c in (v.values() if isinstance(v, dict) else v)]
    return depth
