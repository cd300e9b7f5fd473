"""How many users take one step after the other, and how long it takes them.

A *run* begins with each event of the first step in the range. Each further step of it is the
earliest event of that step after the step before, strictly, within the window from the beginning;
beyond the end of the range too. What counts of a user is the deepest of his runs, of equally deep
ones the first. In a group it is his deepest run among those that begin in the group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from service.query.journeys.breakdown import Breakdown, breakdown_of
from service.query.journeys.funnel_answer import FunnelShape, funnel_document
from service.query.journeys.words import Funnel
from service.query.language.conditions import Terms, column, named
from service.query.language.decoding import Grammar
from service.query.language.grouping import columns_of
from service.query.language.words import Filter
from service.query.parameters import Range
from service.storage.protocol import Statement

_GRAMMAR = Grammar(Funnel)


@dataclass(frozen=True, slots=True)
class FunnelQuestion:
    """A funnel, read and checked."""

    frame: Frame
    breakdown: Breakdown
    shape: FunnelShape
    steps: tuple[tuple[Filter, ...], ...]
    window: int
    """In ms."""
    kind: str = "funnel"

    def canonical(self) -> tuple[object, ...]:
        return self.frame.canonical()

    def statements(self, tenant: str) -> Mapping[str, Statement]:
        asked = self.breakdown.statements(self._runs, self._page, list(self.shape.metrics()))
        return with_values(asked, {"tenant": tenant})

    def document(self, tables: Tables) -> bytes:
        return funnel_document(self.shape, self.breakdown, tables)

    def _page(self) -> Statement:
        """The groups in which the most users begin."""
        time, terms, groups = self.frame.range, self._terms(), self.breakdown.groups
        columns = [Statement("fields.user_key"), *columns_of(groups, terms)]
        which = [SOMEBODY, *terms.conditions([*self.frame.filters, *self.steps[0]])]
        begun = facts(terms, (time.start, time.end), columns, which)
        return self.breakdown.page(begun, Statement("metrics.users"))

    def _runs(self, time: Range, keys: Sequence[Statement]) -> Statement:
        """How far each user got, a row for each group that he is in."""
        later = range(2, len(self.steps) + 1)
        names = [str(key.values["name"]) for key in keys]
        moments = [{"at": f"at{n}", "moment": f"moment{n}"} for n in later]
        return Statement(
            "journeys.runs",
            {"window": self.window},
            {
                "facts": [self._facts(time)],
                "links": list(_links(len(self.steps), names)),
                "withins": [
                    Statement("journeys.within", {"at": f"at{n}", "step": n}) for n in later
                ],
                "keys": [*keys, named("who")],
                "later": [named(f"at{n}") for n in later],
                "moments": [Statement("journeys.moment", moment) for moment in moments],
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
            *self.breakdown.columns(terms, time),
        ]
        which = [SOMEBODY, *terms.conditions(self.frame.filters), any_of(steps)]
        return facts(terms, (time.start, time.end + self.window), columns, which)

    def _terms(self) -> Terms:
        return terms_for(self.breakdown.groups, self.frame.filters, *self.steps)


def read_funnel(body: bytes, now_ms: int) -> FunnelQuestion:
    """The question of a document; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    asked = _GRAMMAR.read(body)
    frame = frame_of(asked, now_ms)
    names = tuple(step.name or step.event or f"step {n}" for n, step in enumerate(asked.steps, 1))
    return FunnelQuestion(
        frame=frame,
        breakdown=breakdown_of(asked, frame, now_ms),
        shape=FunnelShape(names, tuple(dict.fromkeys(asked.percentiles))),
        steps=tuple(filters_of(step, f"steps[{n}]") for n, step in enumerate(asked.steps)),
        window=length_named(asked.window, "window"),
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
