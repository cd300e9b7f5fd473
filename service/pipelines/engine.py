"""All pipelines of a process: takes up those that are its own, and lets go of what is not.

A pipeline is carried under a lease, by one worker at a time. What a worker that lost its lease
still does meets the bus's and the positions' compare-and-set.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from service.ending import cancelled, first_of
from service.errors import HeadraceError, StoreFenced
from service.pipelines.forgetting import forget
from service.pipelines.lag import Lag
from service.pipelines.members import Members, owner_of
from service.pipelines.model import Assignment
from service.pipelines.runner import Parts, Runner
from service.stream.bucket import Bucket
from service.stream.lease import SECONDS, Lease
from service.telemetry import (
    log,
    pipeline_bus_share,
    pipeline_lag_messages,
    pipeline_lag_seconds,
    pipelines_running,
)

BUCKET = "HEADRACE_PIPELINE_LEASES"
LOOK_EVERY = 0.5
"""Seconds between looks at what is wanted."""
DRAIN_TIMEOUT = 10.0
"""Seconds that a pipeline has to finish what is under way."""
_PAUSE_AFTER_TROUBLE = 1.0


@dataclass(slots=True)
class _Carried:
    """A pipeline that this process carries, or waits to carry."""

    version: int
    runner: Runner
    task: asyncio.Task[None]


class Engine:
    """Carries pipelines until it is told to stop."""

    def __init__(
        self,
        parts: Parts,
        leases: Bucket,
        members: Members | None = None,
        lease_seconds: float = SECONDS,
    ) -> None:
        self._parts = parts
        self._leases = leases
        self._members = members
        self._lease_seconds = lease_seconds
        self._carried: dict[str, _Carried] = {}
        self.drain_timeout = DRAIN_TIMEOUT

    @property
    def carried(self) -> set[str]:
        """The pipelines that this process carries now."""
        return {pipeline for pipeline, one in self._carried.items() if one.runner.has_begun}

    async def run(self, stop: asyncio.Event) -> None:
        """Carry what is ours until `stop` is set; then finish what is under way."""
        try:
            while not stop.is_set():
                try:
                    await self._look()
                except Exception as error:  # whatever it is, what is carried goes on
                    log().warning("pipelines.not_looked", reason=str(error) or repr(error))
                self._measure()
                await first_of(asyncio.sleep(LOOK_EVERY), stop.wait())
        finally:
            await self._end_all()

    async def _look(self) -> None:
        """Take up what is wanted and ours, end what is not, begin changed ones anew."""
        members = await self._members.refresh() if self._members else [self._parts.holder]
        wanted = await self._parts.assignments.live()
        mine = {
            one.pipeline_id: one
            for one in wanted
            if owner_of(one.pipeline_id, members) == self._parts.holder
        }
        await self._end_those_not(mine)
        for pipeline, assignment in mine.items():
            if pipeline not in self._carried:
                self._carried[pipeline] = self._begin(assignment)

    def _measure(self) -> None:
        """Tell how many are carried, and of the one that is furthest behind how far it is."""
        pipelines_running.set(len(self.carried))
        _tell([one.runner.lag for one in self._carried.values()])

    async def _end_those_not(self, mine: dict[str, Assignment]) -> None:
        """End what is no longer ours or has another version; forget what has ended."""
        ending = []
        for pipeline, carried in list(self._carried.items()):
            wanted = mine.get(pipeline)
            if carried.task.done():
                del self._carried[pipeline]
                ending.append(self._forget_if_gone(pipeline))
            elif wanted is None or wanted.version != carried.version:
                ending.append(self._end(pipeline, carried))
        await asyncio.gather(*ending)

    def _begin(self, assignment: Assignment) -> _Carried:
        runner = Runner(self._parts, assignment)
        name = f"pipeline {assignment.pipeline_id}"
        task = asyncio.create_task(self._carry(assignment.pipeline_id, runner), name=name)
        return _Carried(assignment.version, runner, task)

    async def _carry(self, pipeline_id: str, runner: Runner) -> None:
        """Wait for the lease, carry the pipeline while it is ours, and release it."""
        lease = Lease(self._leases, pipeline_id, self._parts.holder, self._lease_seconds)
        await lease.wait()
        keeping = asyncio.create_task(lease.keep(), name=f"lease {pipeline_id}")
        running = asyncio.create_task(runner.run(), name=f"runs {pipeline_id}")
        try:
            await first_of(asyncio.shield(running), asyncio.shield(keeping))
        except (StoreFenced, ConnectionError) as error:
            log().warning("pipelines.interrupted", pipeline=pipeline_id, reason=str(error))
            await asyncio.sleep(_PAUSE_AFTER_TROUBLE)
        finally:
            await cancelled(running, keeping)
            await lease.release()

    async def _end(self, pipeline_id: str, carried: _Carried) -> None:
        """Have it finish what is under way; what does not in time is broken off."""
        carried.runner.stop()
        if carried.runner.has_begun:
            await asyncio.wait([carried.task], timeout=self.drain_timeout)
        await cancelled(carried.task)
        self._carried.pop(pipeline_id, None)
        if carried.runner.has_begun:
            await self._forget_if_gone(pipeline_id)

    async def _forget_if_gone(self, pipeline_id: str) -> None:
        """Of a pipeline that was deleted while it ran, take away what the broker holds."""
        try:
            if await self._parts.assignments.is_gone(pipeline_id):
                await forget(self._parts.broker, pipeline_id)
                await self._leases.forget(pipeline_id)
        except (ConnectionError, HeadraceError) as error:
            log().warning("pipelines.not_forgotten", pipeline=pipeline_id, reason=str(error))

    async def _end_all(self) -> None:
        await asyncio.gather(*(self._end(p, c) for p, c in list(self._carried.items())))
        self._measure()
        try:
            if self._members:
                await self._members.leave()
        except ConnectionError as error:
            log().warning("pipelines.not_left", reason=str(error))


def _tell(lags: Sequence[Lag]) -> None:
    pipeline_lag_messages.set(max((one.messages for one in lags), default=0))
    pipeline_lag_seconds.set(max((one.seconds for one in lags), default=0))
    pipeline_bus_share.set(max((one.bus_share for one in lags), default=0))
