"""Which ways users take from an event on, or to it.

A journey is a user's session by the gap: it has a path if it has the event that is asked about. The
path begins with the first such event and goes on; or it ends with the last one, and is followed
backwards. With `collapse` the same value again is not another step. Events of equal moments stand
in the order in which they came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from service.errors import InvalidInput
from service.query.journeys.asked import (
    SOMEBODY,
    Frame,
    Tables,
    all_of,
    any_of,
    facts,
    filters_of,
    frame_of,
    length_named,
    terms_for,
    with_values,
)
from service.query.journeys.shown import share_of
from service.query.journeys.words import Paths, Step
from service.query.language.answer import span_of
from service.query.language.conditions import EVERYTHING, column, named, value_of
from service.query.language.decoding import Grammar
from service.query.language.fields import Field, field_named
from service.query.language.grouping import columns_of, group_columns, in_place
from service.query.language.words import Filter, Span, Value
from service.storage.protocol import Statement

_GRAMMAR = Grammar(Paths)


class Path(msgspec.Struct):
    """A way that some journeys took: how many, of how many users, and their share of all."""

    steps: list[Value | int]
    journeys: int
    users: int
    share: float | None


class OtherPaths(msgspec.Struct):
    """All other ways: how many there are, and how many journeys took them."""

    paths: int
    journeys: int


class PathsDocument(msgspec.Struct):
    """The answer to a question about paths."""

    range: Span
    paths: list[Path]
    other: OtherPaths


@dataclass(frozen=True, slots=True)
class PathsQuestion:
    """A question about paths, read and checked."""

    frame: Frame
    step: tuple[Filter, ...]
    """What the event is that paths begin with, or end with; any if nothing is asked of it."""
    backwards: bool
    of: Field
    """What the steps of a path are told apart by."""
    depth: int
    collapse: bool
    gap: int
    """In ms."""
    limit: int
    kind: str = "paths"

    def canonical(self) -> tuple[object, ...]:
        return self.frame.canonical()

    def statements(self, tenant: str) -> Mapping[str, Statement]:
        direction = "frames.down" if self.backwards else "frames.up"
        moments = ("timestamp", "position", "ordinal")
        parts = {
            "facts": [self._facts()],
            "order": [Statement(direction, parts={"by": [named(one)]}) for one in moments],
            "apart": [Statement("journeys.before_it" if self.backwards else "journeys.after_it")],
            "kept": [named(name) for name in group_columns(0, self.of)],
            "same": [self._same()],
            "near": [self._near()],
            "nodes": self._nodes(),
            "keys": [named(name) for n in self._numbers for name in group_columns(n, self.of)],
            "rank": self._rank(),
        }
        values = {"gap": self.gap, "depth": self.depth, "limit": self.limit}
        return with_values(
            {"paths": Statement("journeys.paths", values, parts)}, {"tenant": tenant}
        )

    def document(self, tables: Tables) -> bytes:
        rows = tables["paths"].to_pylist()
        rows.sort(key=lambda row: row["place"])
        journeys = rows[0]["everyone"] if rows else 0
        paths = [
            Path(self._steps(row), row["taken"], row["takers"], share_of(row["taken"], journeys))
            for row in rows
        ]
        others = journeys - sum(path.journeys for path in paths)
        other = OtherPaths(rows[0]["different"] - len(paths) if rows else 0, others)
        return msgspec.json.encode(PathsDocument(span_of(self.frame.range), paths, other))

    @property
    def _numbers(self) -> range:
        """Of the steps."""
        return range(1, self.depth + 1)

    def _facts(self) -> Statement:
        asked, time = self.frame.filters, self.frame.range
        terms = terms_for([self.of], asked, self.step)
        meant = all_of(terms.conditions(self.step)) if self.step else EVERYTHING
        columns = [
            column("who", Statement("fields.user_key")),
            Statement("fields.timestamp"),
            Statement("fields.place"),
            column("meant", meant),
            *columns_of([self.of], terms),
        ]
        which = [SOMEBODY, *terms.conditions(asked)]
        return facts(terms, (time.start, time.end), columns, which)

    def _same(self) -> Statement:
        """Whether a step repeats the one before."""
        if not self.collapse:
            return Statement("journeys.never")
        names = group_columns(0, self.of)
        again = [Statement("journeys.again", {"name": name}) for name in names]
        return all_of(again)

    def _near(self) -> Statement:
        """Whether an event can be on a path: one of the next after an event that is asked about.

        Others are left out before the windows that come after, if it can be known so early.
        """
        if self.collapse or not self.step:
            return EVERYTHING
        after = range(1, self.depth)
        shortly = [Statement("journeys.shortly_after", {"events": n}) for n in after]
        return any_of([named("meant"), *shortly])

    def _nodes(self) -> list[Statement]:
        """The values of each step, NULL where a path is shorter."""
        pairs = [
            (n, found, called)
            for n in self._numbers
            for found, called in zip(
                group_columns(0, self.of), group_columns(n, self.of), strict=True
            )
        ]
        return [
            Statement("journeys.node", {"step": n, "found": found, "called": called})
            for n, found, called in pairs
        ]

    def _rank(self) -> list[Statement]:
        """The most taken first, equal ones by their steps from the event on."""
        first = Statement("frames.down", parts={"by": [named("taken")]})
        rest = [by for n in self._numbers for by in in_place(n, self.of)]
        return [first, *(Statement("frames.up", parts={"by": [one]}) for one in rest)]

    def _steps(self, row: Mapping[str, Any]) -> list[Value | int]:
        keys = [(row[f"key{n}"], row.get(f"rank{n}")) for n in self._numbers]
        found = [value_of(self.of, key, rank) for key, rank in keys if key is not None]
        return found[::-1] if self.backwards else found


def read_paths(body: bytes, now_ms: int) -> PathsQuestion:
    """The question of a document; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    asked = _GRAMMAR.read(body)
    if asked.start is not None and asked.end is not None:
        raise InvalidInput("`to`: paths lead from an event or to one; give one of both", "to")
    return PathsQuestion(
        frame=frame_of(asked, now_ms),
        step=_asked_of(asked.start, "from") or _asked_of(asked.end, "to"),
        backwards=asked.end is not None,
        of=field_named(asked.of, "of"),
        depth=asked.depth,
        collapse=asked.collapse,
        gap=length_named(asked.gap, "gap"),
        limit=asked.limit,
    )


def _asked_of(step: Step | None, place: str) -> tuple[Filter, ...]:
    return () if step is None else filters_of(step, place)
