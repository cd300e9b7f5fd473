"""How many sessions there are, how long they last, and how many end with the event they began with.

A session is made of the events of the range that the filters let through: those of one user that
are no further from the next than the gap; by `sessionId` those that name the same session, and by
the gap those that name none. It belongs where its first event does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from service.query.journeys.asked import (
    SOMEBODY,
    Frame,
    Tables,
    any_of,
    facts,
    frame_of,
    length_named,
    terms_for,
    with_values,
)
from service.query.journeys.breakdown import Breakdown, Found, Row, breakdown_of
from service.query.journeys.shown import seconds_of, share_of
from service.query.journeys.words import Sessions
from service.query.language.answer import span_of
from service.query.language.conditions import Terms, column, named
from service.query.language.decoding import Grammar
from service.query.language.words import Span, Value
from service.query.parameters import Range
from service.storage.protocol import Statement

_GRAMMAR = Grammar(Sessions)
_SIZE = Statement("metrics.events")


class SessionMetrics(msgspec.Struct, rename="camel"):
    """Counts of sessions, and how long they last, in seconds."""

    sessions: int
    users: int
    events: int
    bounces: int
    bounce_rate: float | None
    events_per_session: float | None
    seconds: dict[str, float | None]
    """`mean`, `p50` and the like."""


class SessionsCompared(msgspec.Struct, omit_defaults=True):
    """The same in the range that is compared with, and where its bucket begins there."""

    metrics: SessionMetrics
    time: str | None = None


class SessionsRow(msgspec.Struct, omit_defaults=True):
    """The sessions of one group, of those that began in one bucket if time is a dimension."""

    dimensions: dict[str, Value | int]
    metrics: SessionMetrics
    compare: SessionsCompared | None = None


class SessionsTotals(msgspec.Struct, omit_defaults=True):
    """All sessions."""

    metrics: SessionMetrics
    compare: SessionsCompared | None = None


class SessionsDocument(msgspec.Struct, omit_defaults=True):
    """The answer to a question about sessions."""

    range: Span
    rows: list[SessionsRow]
    compare: Span | None = None
    totals: SessionsTotals | None = None


@dataclass(frozen=True, slots=True)
class SessionsQuestion:
    """A question about sessions, read and checked."""

    frame: Frame
    breakdown: Breakdown
    by_id: bool
    """Whether the session that an event names goes before the gap."""
    gap: int
    """In ms."""
    percentiles: tuple[int, ...]
    kind: str = "sessions"

    def canonical(self) -> tuple[object, ...]:
        return self.frame.canonical()

    def statements(self, tenant: str) -> Mapping[str, Statement]:
        asked = self.breakdown.statements(self._sessions, self._page, self._metrics())
        return with_values(asked, {"tenant": tenant, "gap": self.gap})

    def document(self, tables: Tables) -> bytes:
        breakdown, whole = self.breakdown, self.breakdown.whole(tables)
        document = SessionsDocument(
            range=span_of(breakdown.range),
            rows=[
                SessionsRow(found.dimensions, self._shown(found.row), self._compared(found))
                for found in breakdown.rows(tables)
            ],
            compare=span_of(breakdown.compare) if breakdown.compare else None,
            totals=SessionsTotals(self._shown(whole.row), self._compared(whole)) if whole else None,
        )
        return msgspec.json.encode(document)

    def _page(self) -> Statement:
        """The groups that the most sessions belong to."""
        return self.breakdown.page(self._sessions(self.frame.range, self.breakdown.keys), _SIZE)

    def _sessions(self, time: Range, keys: Sequence[Statement]) -> Statement:
        """A row for each session: its first event, how long it lasted, how many events it had."""
        moments = ["timestamp", *(["position", "ordinal"] if self.breakdown.groups else [])]
        patience = "journeys.patience_by_id" if self.by_id else "journeys.patience"
        parts = {
            "facts": [self._facts(time)],
            "kept": [*keys, named("who")],
            "user": [named("visitor" if self.by_id else "who")],
            "patience": [Statement(patience)],
            "order": [Statement("frames.up", parts={"by": [named(name)]}) for name in moments],
        }
        return Statement("journeys.sessions", parts=parts)

    def _facts(self, time: Range) -> Statement:
        """As few columns as will do: sorting them is what takes the time."""
        terms, user = self._terms(), Statement("fields.user_key")
        session = Statement("journeys.in_session")
        whose = (
            {"who": Statement("journeys.session_or_user"), "visitor": user, "named": session}
            if self.by_id
            else {"who": user}
        )
        columns = [
            *(column(name, value) for name, value in whose.items()),
            Statement("fields.timestamp"),
            *([Statement("fields.place")] if self.breakdown.groups else []),
            *self.breakdown.columns(terms, time),
        ]
        some = any_of([SOMEBODY, session]) if self.by_id else SOMEBODY
        which = [some, *terms.conditions(self.frame.filters)]
        return facts(terms, (time.start, time.end), columns, which)

    def _terms(self) -> Terms:
        return terms_for(self.breakdown.groups, self.frame.filters)

    def _metrics(self) -> list[Statement]:
        """What is counted over sessions."""
        lasted = {"number": [named("lasted")]}
        counts = {
            "sessions": _SIZE,
            "users": Statement("metrics.users"),
            "bounces": Statement("journeys.bounces"),
            "happened": Statement("journeys.total", parts={"of": [named("events")]}),
            "lasting": Statement("journeys.total", parts={"of": [named("lasted")]}),
        }
        levels = [
            Statement("metrics.percentile", {"level": p / 100}, lasted) for p in self.percentiles
        ]
        return [
            *(column(name, value) for name, value in counts.items()),
            *(column(f"lasted{n}", level) for n, level in enumerate(levels)),
        ]

    def _compared(self, found: Found) -> SessionsCompared | None:
        if found.compared is None:
            return None
        return SessionsCompared(self._shown(found.compared), found.time)

    def _shown(self, row: Row) -> SessionMetrics:
        names = ("sessions", "users", "bounces", "happened", "lasting")
        sessions, users, bounces, events, lasting = (row.get(name) or 0 for name in names)
        percentiles = {
            f"p{p}": _seconds(row.get(f"lasted{n}")) for n, p in enumerate(self.percentiles)
        }
        return SessionMetrics(
            sessions,
            users,
            events,
            bounces,
            share_of(bounces, sessions),
            share_of(events, sessions),
            {"mean": share_of(lasting, 1000 * sessions), **percentiles},
        )


def read_sessions(body: bytes, now_ms: int) -> SessionsQuestion:
    """The question of a document; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    asked = _GRAMMAR.read(body)
    frame = frame_of(asked, now_ms)
    return SessionsQuestion(
        frame=frame,
        breakdown=breakdown_of(asked, frame, now_ms),
        by_id=asked.by == "sessionId",
        gap=length_named(asked.gap, "gap"),
        percentiles=tuple(dict.fromkeys(asked.percentiles)),
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else seconds_of(milliseconds / 1000)
