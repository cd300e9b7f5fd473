"""How many users take one step after the other, and how long it takes them.

A *run* begins with each event of the first step in the range. Each further step of it is the
earliest event of that step after the step before, strictly, within the window from the beginning;
beyond the end of the range too. What counts of a user is the deepest of his runs, of equally deep
ones the first. In a group it is his deepest run among those that begin in the group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from service.query.buckets import bucket_starts
from service.query.journeys.asked import (
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
from service.query.journeys.funnel_answer import FunnelShape, funnel_document
from service.query.journeys.words import Funnel
from service.query.language.axis import bucket
from service.query.language.conditions import EVERYTHING, Terms, column, named
from service.query.language.decoding import Grammar
from service.query.language.dimensions import check_rows, groups_named, interval_of
from service.query.language.fields import Field
from service.query.language.grouping import columns_of, in_place, names_of
from service.query.language.spans import compared_with
from service.query.language.words import Filter
from service.query.parameters import Range
from service.storage.protocol import Statement

_GRAMMAR = Grammar(Funnel)
_BUCKET = "bucket"
MOST_FUNNELS = 2_000
"""Rows that one answer may have, each with all steps."""


@dataclass(frozen=True, slots=True)
class FunnelQuestion:
    """A funnel, read and checked. Lengths in ms."""

    frame: Frame
    shape: FunnelShape
    steps: tuple[tuple[Filter, ...], ...]
    window: int
    groups: tuple[Field, ...]
    compare: Range | None
    interval: int
    limit: int
    totals: bool
    kind: str = "funnel"

    def canonical(self) -> tuple[object, ...]:
        return self.frame.canonical()

    def statements(self, tenant: str) -> Mapping[str, Statement]:
        asked = self._of_range("", self.frame.range)
        if self.compare:
            asked |= self._of_range("compare.", self.compare)
        return with_values(asked, {"tenant": tenant})

    def document(self, tables: Tables) -> bytes:
        starts = [self._starts(time) for time in (self.frame.range, self.compare) if time]
        return funnel_document(self.shape, tables, *starts)

    def _of_range(self, prefix: str, time: Range) -> dict[str, Statement]:
        metrics = list(self.shape.metrics())
        asked = {f"{prefix}rows": self._rows(time, metrics)}
        if self.totals:
            runs = self._runs(time, [])
            parts = {"metrics": metrics, "facts": [runs], "which": [EVERYTHING]}
            asked[f"{prefix}totals"] = Statement("frames.whole", parts=parts)
        return asked

    def _rows(self, time: Range, metrics: Sequence[Statement]) -> Statement:
        groups = names_of(self.groups)
        keys = [*groups, *([named(_BUCKET)] if self.interval else [])]
        parts = {"metrics": metrics, "facts": [self._runs(time, keys)], "which": [EVERYTHING]}
        if not keys:
            return Statement("frames.whole", parts=parts)
        if not groups:
            return Statement("frames.grouped", parts={**parts, "keys": keys})
        page = {"page": [self._page()], "order": self._order(), "groups": groups, "keys": keys}
        return Statement("frames.series", parts={**parts, **page})

    def _page(self) -> Statement:
        """The groups in which the most users begin, in the range that is asked for."""
        time, terms = self.frame.range, self._terms()
        columns = [Statement("fields.user_key"), *columns_of(self.groups, terms)]
        which = terms.conditions([*self.frame.filters, *self.steps[0]])
        return Statement(
            "frames.page",
            {"limit": self.limit, "offset": 0},
            {
                "keys": names_of(self.groups),
                "metrics": [column("metric0", Statement("metrics.users"))],
                "facts": [facts(terms, (time.start, time.end), columns, which)],
                "order": self._order(),
            },
        )

    def _order(self) -> list[Statement]:
        rest = [by for n, group in enumerate(self.groups) for by in in_place(n, group)]
        first = Statement("frames.down", parts={"by": [named("metric0")]})
        return [first, *(Statement("frames.up", parts={"by": [one]}) for one in rest)]

    def _runs(self, time: Range, keys: Sequence[Statement]) -> Statement:
        """How far each user got, a row for each group that he is in."""
        last = len(self.steps)
        names = [str(key.values["name"]) for key in keys]
        later = [named(f"at{n}") for n in range(2, last + 1)]
        return Statement(
            "journeys.runs",
            {"window": self.window},
            {
                "facts": [self._facts(time)],
                "links": list(_links(last, names)),
                "withins": [
                    Statement("journeys.within", {"at": f"at{n}", "step": n})
                    for n in range(2, last + 1)
                ],
                "keys": [*keys, named("who")],
                "later": later,
                "moments": [
                    Statement("journeys.moment", {"at": f"at{n}", "moment": f"moment{n}"})
                    for n in range(2, last + 1)
                ],
            },
        )

    def _facts(self, time: Range) -> Statement:
        """The events of all steps, up to a window beyond the range."""
        terms = self._terms()
        steps = [all_of(terms.conditions(step)) for step in self.steps]
        begins = Statement("journeys.before", {"edge": time.end})
        flags = [all_of([steps[0], begins]), *steps[1:]]
        columns = [
            column("who", Statement("fields.user_key")),
            Statement("fields.timestamp"),
            *(column(f"step{n}", flag) for n, flag in enumerate(flags, start=1)),
            *columns_of(self.groups, terms),
        ]
        if self.interval:
            columns.append(column(_BUCKET, bucket(self._starts(time), self.interval)))
        which = [*terms.conditions(self.frame.filters), any_of(steps)]
        return facts(terms, (time.start, time.end + self.window), columns, which)

    def _terms(self) -> Terms:
        return terms_for(self.groups, self.frame.filters, *self.steps)

    def _starts(self, time: Range) -> Sequence[int]:
        if not self.interval:
            return ()
        return bucket_starts(time.start, time.end, self.interval, ZoneInfo(self.frame.zone))


def read_funnel(body: bytes, now_ms: int) -> FunnelQuestion:
    """The question of a document; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    asked = _GRAMMAR.read(body)
    frame = frame_of(asked, now_ms)
    steps = tuple(filters_of(step, f"steps[{n}]") for n, step in enumerate(asked.steps))
    groups = groups_named(asked.dimensions)
    compare = compared_with(asked.compare, frame.range, now_ms)
    interval = interval_of(asked.interval, asked.dimensions, frame.range, frame.zone)
    if interval:
        check_rows(frame.range, interval, asked.limit if groups else 1, MOST_FUNNELS)
    names = tuple(step.name or step.event or f"step {n}" for n, step in enumerate(asked.steps, 1))
    return FunnelQuestion(
        frame=frame,
        shape=FunnelShape(names, asked.percentiles, asked.dimensions, groups, frame.range, compare),
        steps=steps,
        window=length_named(asked.window, "window"),
        groups=groups,
        compare=compare,
        interval=interval,
        limit=asked.limit,
        totals=asked.totals,
    )


def _links(last: int, keys: Sequence[str]) -> Iterator[Statement]:
    """From the last step to the first: when each was taken, and when those after it were next."""
    yield Statement("journeys.last_link", {"link": f"link{last}", "step": f"step{last}"})
    for number in range(last - 1, 0, -1):
        kept = keys if number == 1 else ()
        yield Statement(
            "journeys.link",
            {"link": f"link{number}", "step": f"step{number}", "next": f"link{number + 1}"},
            {
                "kept": [named("who"), named("timestamp"), *map(named, kept)],
                "columns": [
                    *(_of("here", key, key) for key in ("who", "timestamp", *kept)),
                    _of("later", "timestamp", f"at{number + 1}"),
                    *(_of("later", f"at{n}", f"at{n}") for n in range(number + 2, last + 1)),
                ],
            },
        )


def _of(side: str, found: str, called: str) -> Statement:
    return Statement("journeys.of", {"side": side, "found": found, "called": called})
