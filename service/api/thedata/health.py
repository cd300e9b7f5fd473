"""`GET /v1/health`: the same health as at `/api/health`."""

from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer
from service.api.guards import LOOKS_IN
from service.api.health import Health, HealthReport
from service.api.openapi import Said, document, read
from service.api.thedata.problems import Refusal


class HealthRoute:
    """Health as this face's callers ask for it."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return read("/v1/health", self.health, _HEALTH)

    async def health(self, request: Request[Any, Any, Any]) -> Answer:
        """Every dependency in use, checked within the last second. No key is needed."""
        return await self._health.health(request)


_HEALTH = Said(
    "thedata",
    LOOKS_IN,
    [
        document(200, HealthReport, "Healthy or degraded."),
        document(429, Refusal, "More than the caller's tier allows; see `Retry-After`."),
        document(503, HealthReport, "Unhealthy: the store or the stream is down."),
    ],
)
