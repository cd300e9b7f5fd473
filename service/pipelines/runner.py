"""One pipeline at work: its source, its subscriptions, its figures, its end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service import crash
from service.ending import cancelled
from service.errors import ConnectorBroken, HeadraceError, InvalidInput, StoreFenced
from service.events import now_ms
from service.pipelines.bus import Broker, Bus, open_bus
from service.pipelines.connectors.protocol import Kind, Source, Surroundings, Target
from service.pipelines.connectors.registry import config_of
from service.pipelines.inbound import Inbound
from service.pipelines.lag import Lag
from service.pipelines.model import Assignment, ConnectorConfig, SubscriptionConfig
from service.pipelines.outbound import OpenTarget, Outbound, Way
from service.pipelines.positions import Positions
from service.pipelines.refusals import Refusals, open_refusals
from service.pipelines.speaking import Speaking
from service.pipelines.telling import Assignments, FigureBook, Logs
from service.pipelines.trying import Trying
from service.pipelines.watching import Level, Watch
from service.redaction import MASK, masked
from service.telemetry import log, pipelines_broken

TELL_EVERY = 1.0
_FULLEST = 0.5
"""Share of a bus past which what every target has is forgotten; until then it can be read again."""
_DAY = 86_400_000
_LOOKS = 24
"""Looks for what is old, while a bus may keep it."""
_UNSPOKEN = 4
"""Characters of a secret below which it would mask half of every word."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of each pipeline's bus and dead letters, and how long tries may go on in vain."""

    bus_bytes: int
    refused_bytes: int
    give_up: float
    days: float = 7.0
    """How long a bus keeps what every target has."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What all pipelines of a process share."""

    broker: Broker
    assignments: Assignments
    kinds: Mapping[str, Kind]
    surroundings: Callable[[Assignment], Surroundings]
    limits: Limits
    positions: Positions
    logs: Logs
    figures: FigureBook
    holder: str
    """A name of this process alone."""


class Runner:
    """Runs one version of one pipeline until it is told to stop, breaks, or is taken over."""

    def __init__(self, parts: Parts, assignment: Assignment) -> None:
        self._parts = parts
        self._assignment = assignment
        self._stop = asyncio.Event()
        self._speaking = Speaking(parts.logs, assignment.pipeline_id)
        self._secrets = _secrets(parts.kinds, assignment)
        self._outbounds: Sequence[Outbound] = ()
        self._watches: dict[str, Watch] = {}
        self._forget_at = 0
        self.has_begun = False
        self.lag = Lag()

    def stop(self) -> None:
        """Finish what is under way, and end."""
        self._stop.set()

    async def run(self) -> None:
        """Return when told to stop, or when it broke: then the state is noted, with the reason.

        Raises ConnectionError when the broker is away for long, and StoreFenced when another
        worker carries the pipeline.
        """
        self.has_begun = True
        pipeline = self._assignment.pipeline_id
        speaking = asyncio.create_task(self._speaking.run(), name=f"pipeline {pipeline} speaks")
        try:
            await self._run()
        except Exception as error:
            await self._meet(error)
        finally:
            await cancelled(speaking)
            await self._speaking.flush()

    async def _run(self) -> None:
        bus, refusals = await self._open()
        ways = self._assignment.subscriptions
        self._outbounds = [self._outbound(one, bus, refusals) for one in ways]
        await self._begin()
        carrying = [asyncio.create_task(part) for part in self._carrying(bus)]
        telling = asyncio.create_task(self._tell(bus))
        try:
            done, _ = await asyncio.wait(carrying, return_when=asyncio.FIRST_EXCEPTION)
            for part in done:
                part.result()
        finally:
            await cancelled(*carrying, telling)

    async def _meet(self, error: Exception) -> None:
        """What to do about what ended it."""
        if isinstance(error, StoreFenced | ConnectionError):
            raise error
        await self._break(error)

    async def _open(self) -> tuple[Bus, Refusals]:
        broker, limits, pipeline = self._parts.broker, self._parts.limits, self._assignment
        bus = await open_bus(broker, pipeline.pipeline_id, limits.bus_bytes)
        return bus, await open_refusals(broker, pipeline.pipeline_id, limits.refused_bytes)

    async def _begin(self) -> None:
        """Find where every subscription stands; those that a pipeline begins with miss nothing."""
        positions, pipeline = self._parts.positions, self._assignment.pipeline_id
        begun = await positions.have_begun(pipeline)
        for outbound in self._outbounds:
            await outbound.begin(everything=not begun)
        if not begun:
            await positions.note_begun(pipeline)

    def _carrying(self, bus: Bus) -> Sequence[Coroutine[Any, Any, Any]]:
        """The source, where there is one to be read, and each subscription."""
        return [*self._inbound(bus), *(one.run() for one in self._outbounds), self._stop.wait()]

    def _inbound(self, bus: Bus) -> Sequence[Coroutine[Any, Any, None]]:
        source = self._assignment.source
        kind = self._kind(source)
        opens = kind.open_source
        if opens is None:
            return []
        config = config_of(kind, source.settings)
        around = self._parts.surroundings(self._assignment)
        watch = self._watch("source", kind)

        def open_source() -> Awaitable[Source]:
            return opens(config, around)

        return [Inbound(open_source, bus, watch, self._trying(watch)).run()]

    def _outbound(self, one: SubscriptionConfig, bus: Bus, refusals: Refusals) -> Outbound:
        mark = self._parts.positions.mark(self._assignment.pipeline_id, one.id, self._parts.holder)
        opening = self._opening(one.target, one.id, one.table)
        errors = None
        if one.error_target:
            errors = self._opening(one.error_target, f"{one.id}-errors", one.error_table)
        kind = self._kind(one.target)
        together = kind.together(config_of(kind, one.target.settings))
        way = Way(bus, mark, refusals, opening, errors, together)
        watch = self._watch(one.id, kind)
        return Outbound(one, way, watch, self._trying(watch))

    def _opening(self, target: ConnectorConfig, name: str, table: str) -> OpenTarget:
        kind = self._kind(target)
        opens = kind.open_target
        if opens is None:
            raise InvalidInput(f"{kind.name} is no target")
        config = config_of(kind, target.settings)
        around = self._parts.surroundings(self._assignment)
        around = replace(around, subscription_id=name, table=table)

        def open_target(turned: int) -> Awaitable[Target]:
            return opens(config, replace(around, turned=turned))

        return open_target

    def _kind(self, connector: ConnectorConfig) -> Kind:
        if connector.type not in self._parts.kinds:
            raise ConnectorBroken(f"there is no connector {connector.type!r} in this version")
        return self._parts.kinds[connector.type]

    def _watch(self, part: str, kind: Kind) -> Watch:
        watch = self._watches[part] = Watch(kind.name, self._say)
        return watch

    def _say(self, level: Level, text: str) -> None:
        self._speaking.say(level, self._safe(text))

    def _trying(self, watch: Watch) -> Trying:
        return Trying(self._stop, watch, self._parts.limits.give_up)

    async def _tell(self, bus: Bus) -> None:
        """Each second: figures, whether it is live by now, room on the bus."""
        is_live = False
        while True:
            try:
                await self._tell_once(bus)
                if not is_live and all(watch.is_open for watch in self._watches.values()):
                    is_live = await self._note_live()
            except (ConnectionError, HeadraceError) as error:
                log().warning("pipelines.not_told", reason=self._safe(str(error)))
            await asyncio.sleep(TELL_EVERY)

    async def _note_live(self) -> bool:
        one = self._assignment
        await self._parts.assignments.note_state(one.pipeline_id, one.version, "live")
        self._speaking.say("info", f"version {one.version} is live")
        return True

    async def _tell_once(self, bus: Bus) -> None:
        extent = await bus.extent()
        for one, outbound in zip(self._assignment.subscriptions, self._outbounds, strict=True):
            self._watches[one.id].lag = max(0, extent.last - outbound.sequence)
        for part, watch in self._watches.items():
            figures = watch.figures()
            await self._parts.figures.write(self._assignment.pipeline_id, part, figures)
        done = min((one.sequence for one in self._outbounds), default=extent.last)
        await self.lag.measure(bus, extent, done)
        if self._outbounds:
            await self._forget_old(bus, extent.first, done)
        if self.lag.bus_share > _FULLEST and self._outbounds:
            await self._forget(bus, extent.first, done + 1)

    async def _forget_old(self, bus: Bus, first: int, done: int) -> None:
        """Now and then, forget what every target has had for long: of users who were erased too."""
        now, kept = now_ms(), int(self._parts.limits.days * _DAY)
        if now < self._forget_at:
            return
        until = min(done, await bus.before(now - kept))
        if until >= first:
            await bus.purge(until + 1)
        self._forget_at = now + kept // _LOOKS

    async def _forget(self, bus: Bus, first: int, done: int) -> None:
        """Forget the older half of what every target has."""
        if done > first:
            crash.point("pipeline.before_purge")
            await bus.purge(first + (done - first + 1) // 2)
            crash.point("pipeline.after_purge")

    async def _break(self, error: Exception) -> None:
        """Note the error and its reason, however long that takes."""
        known = isinstance(error, HeadraceError | OSError)
        reason = self._safe(str(error) if known and str(error) else repr(error))
        one = self._assignment
        log().error("pipelines.broken", pipeline=one.pipeline_id, reason=reason, exc_info=not known)
        pipelines_broken.inc()
        self._speaking.say("error", f"ended: {reason}")
        pause = TELL_EVERY
        while not self._stop.is_set():
            try:
                await self._parts.assignments.note_state(
                    one.pipeline_id, one.version, "error", reason
                )
                return
            except HeadraceError as failure:
                log().warning("pipelines.state_not_noted", reason=str(failure))
            await asyncio.sleep(pause)

    def _safe(self, text: str) -> str:
        """The text without the secrets of the pipeline's connectors."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return masked(text)


def _secrets(kinds: Mapping[str, Kind], assignment: Assignment) -> Sequence[str]:
    """The texts that the pipeline's connectors keep secret, longest first."""
    ways = assignment.subscriptions
    connectors = [assignment.source, *(one.target for one in ways)]
    connectors += [one.error_target for one in ways if one.error_target]
    found = {
        str(value)
        for one in connectors
        if one.type in kinds
        for name, value in one.settings.items()
        if name in kinds[one.type].secrets and len(str(value)) >= _UNSPOKEN
    }
    return sorted(found, key=len, reverse=True)
