"""Health, readiness, liveness. However often they are polled, a check is made once a second."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

import service
from service.api.answers import Answer, iso, json_answer
from service.api.checks import Check, Ping
from service.api.guards import OPEN
from service.api.openapi import Said, document, read
from service.telemetry import part_up

CRITICAL = ("store", "stream")
"""Without these nothing is taken in or answered; without the others most things are."""


class Flying(Protocol):
    """An event of the service's own on its way, again and again."""

    @property
    def age(self) -> float | None: ...

    def is_late(self) -> bool: ...


class Part(msgspec.Struct):
    """One dependency in use."""

    status: Literal["up", "down"]


class HealthReport(msgspec.Struct):
    """What `/api/health` answers; `uptime` in seconds."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    uptime: int
    timestamp: str
    services: dict[str, Part]


class Readiness(msgspec.Struct, rename="camel"):
    """Whether this process can do its work.

    `canary_age`: seconds since the newest event of the service's own that is counted was sent; null
    in a process that sends none.
    """

    ready: bool
    canary_age: float | None = None


class Liveness(msgspec.Struct):
    """That this process answers at all."""

    live: bool


_HEALTH = Said(
    "health",
    OPEN,
    [
        document(200, HealthReport, "Healthy or degraded."),
        document(503, HealthReport, "Unhealthy: the store or the stream is down."),
    ],
)
_READY = Said(
    "health",
    OPEN,
    [document(200, Readiness, "Ready for work."), document(503, Readiness, "Not ready.")],
)
_ALIVE = Said("health", OPEN, [document(200, Liveness, "Alive.")])
_LIVE = json_answer(200, Liveness(live=True))


class Health:
    """The three probes over a set of dependencies.

    `started_at` is Unix time in seconds; `migrated` says whether the schemas fit this program.
    """

    def __init__(
        self,
        started_at: float,
        migrated: Callable[[], bool],
        pings: Mapping[str, Ping],
        canary: Flying | None = None,
    ) -> None:
        self._canary = canary
        self._started_at = started_at
        self._migrated = migrated
        self._checks = {name: Check(name, ping) for name, ping in pings.items()}

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/health", self.health, _HEALTH),
            *read("/api/ready", self.ready, _READY),
            *read("/api/live", self.live, _ALIVE),
        ]

    async def health(self, request: Request[Any, Any, Any]) -> Answer:
        """Every dependency in use, checked within the last second."""
        parts = await self._parts()
        status = _overall(parts)
        now = time.time()
        report = HealthReport(
            status,
            service.__version__,
            int(now - self._started_at),
            iso(int(now * 1000)),
            parts,
        )
        return json_answer(503 if status == "unhealthy" else 200, report)

    async def ready(self, request: Request[Any, Any, Any]) -> Answer:
        """True once migrations ran, while store and stream answer and events are counted."""
        ready = self._migrated() and _overall(await self._parts()) != "unhealthy"
        late = self._canary is not None and self._canary.is_late()
        age = self._canary.age if self._canary else None
        return json_answer(200 if ready and not late else 503, Readiness(ready and not late, age))

    async def live(self, request: Request[Any, Any, Any]) -> Answer:
        """Touches no dependency."""
        return _LIVE

    async def look(self) -> Mapping[str, bool]:
        """Whether each part answers, for the telemetry too."""
        up = await asyncio.gather(*(check.up() for check in self._checks.values()))
        found = dict(zip(self._checks, up, strict=True))
        for name, good in found.items():
            part_up.labels(name).set(good)
        return found

    async def _parts(self) -> dict[str, Part]:
        return {name: Part("up" if up else "down") for name, up in (await self.look()).items()}


def _overall(parts: Mapping[str, Part]) -> Literal["healthy", "degraded", "unhealthy"]:
    down = [name for name, part in parts.items() if part.status == "down"]
    if any(name in CRITICAL for name in down):
        return "unhealthy"
    return "degraded" if down else "healthy"
