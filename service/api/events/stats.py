"""`GET /api/v1/events/stats`: how fast events come in, and how many there are."""

from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, Success, headers_of, json_answer
from service.api.guards import FOLLOWS, Gate
from service.api.openapi import Said, data, read, refusal
from service.query.run import Questions, Stats


class StatsRoute:
    """The caller's own environment, whichever scope the key has."""

    def __init__(self, gate: Gate, questions: Questions) -> None:
        self._gate = gate
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return read("/api/v1/events/stats", self.stats, _STATS)

    async def stats(self, request: Request[Any, Any, Any]) -> Answer:
        """How fast events come in."""
        caller = await self._gate.caller(headers_of(request.scope), FOLLOWS)
        return json_answer(200, Success(data=await self._questions.stats(caller.tenant)))


_EXAMPLE = {
    "ingestionRate": 1250.5,
    "totalIngested": 150000,
    "timestamp": "2024-01-30T12:34:56.000Z",
}
_STATS = Said(
    "events",
    FOLLOWS,
    [
        data(200, Stats, "The caller's environment.", _EXAMPLE),
        refusal(401, "No API key, or not a valid one."),
        refusal(503, "The store does not answer; see `Retry-After`."),
    ],
)
