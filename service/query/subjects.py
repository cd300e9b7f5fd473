"""From the parameters of a question to what can be listened to."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from service.errors import InvalidInput
from service.query.cache import Served
from service.query.listening import Subject
from service.query.parameters import parse_metrics, parse_numbers
from service.query.run import Questions
from service.query.saved.shelf import Shelf

SLIDE = 10.0
"""Seconds after which a range that ends now is looked at again though nothing was counted."""

SAVED = "saved"
_LOOK = 0.5
"""Seconds between two looks at what a saved question is now; its answer may well be kept."""

Parse = Callable[[Mapping[str, str], int], Any]
Ask = Callable[[str, Any, int], Awaitable[Served]]


class Subjects:
    """What there is to listen to, by the name that `what` gives it."""

    def __init__(self, questions: Questions, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kinds: dict[str, tuple[Parse, Ask]] = {
            "metrics": (parse_metrics, questions.metrics),
            "numbers": (parse_numbers, questions.numbers),
        }

    @property
    def names(self) -> list[str]:
        """What `what` may be."""
        return [*self._kinds, SAVED]

    async def find(self, tenant: str, what: str, raw: Mapping[str, str]) -> Subject:
        """The subject `what` with the parameters `raw`, which are read anew at each computation.

        Raises InvalidInput for what there is not, NotFound for a name that nothing is saved under.
        """
        if what == SAVED:
            return await self._saved(tenant, raw)
        if what not in self._kinds:
            raise InvalidInput(f"`what` must be one of {', '.join(self.names)}", "what")
        parse, ask = self._kinds[what]
        first = parse(raw, _now())
        return Subject(
            tenant,
            (what, first.canonical()),
            SLIDE if first.range.name else None,
            lambda at_least: ask(tenant, parse(raw, _now()), at_least),
        )

    async def _saved(self, tenant: str, raw: Mapping[str, str]) -> Subject:
        if "saved" not in raw:
            raise InvalidInput("`saved` is missing: the name of a saved question", "saved")
        name, given = raw["saved"], {key: raw[key] for key in raw if key != "saved"}
        await self._shelf.asked(tenant, name, given, _now())

        async def ask(at_least: int) -> Served:
            asked = await self._shelf.asked(tenant, name, given, _now())
            return await self._shelf.answer(tenant, asked, at_least)

        return Subject(tenant, (SAVED, name, *sorted(given.items())), _LOOK, ask)


def _now() -> int:
    return time.time_ns() // 1_000_000
