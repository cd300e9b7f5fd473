"""Saved questions, answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.query.cache import Served
from service.query.run import Questions
from service.query.saved.definition import QUERY, Definition, kept, question_with

Find = Callable[[str, str], Awaitable[str]]
"""The definition that a tenant has under a name. Raises NotFound."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A saved question with its parameters."""

    definition: Definition
    question: Any

    @property
    def is_query(self) -> bool:
        """Whether it is a query, not a journey."""
        return self.definition.kind == QUERY


class Shelf:
    """The saved questions of all tenants. `questions` answers, for each time that answers may be
    kept; None is as long as all are."""

    def __init__(self, find: Find, questions: Mapping[int | None, Questions]) -> None:
        self._find = find
        self._questions = questions

    async def asked(self, tenant: str, name: str, given: Mapping[str, str], now_ms: int) -> Asked:
        """The question of this name with these parameters, as it is defined now.

        Raises NotFound, and InvalidInput for what a parameter may not be.
        """
        definition = kept(await self._find(tenant, name))
        return Asked(definition, question_with(definition, given, now_ms))

    async def answer(self, tenant: str, asked: Asked, at_least: int = 0) -> Served:
        """Its answer. Raises what asking raises."""
        questions = self._questions[asked.definition.cache_seconds]
        ask = questions.query if asked.is_query else questions.journey
        return await ask(tenant, asked.question, at_least)
