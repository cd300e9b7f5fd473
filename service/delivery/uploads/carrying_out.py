"""Delivers uploads that wait, a few at once; goes on with those that another process left."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import msgspec

from service.delivery.config_file import read_config
from service.delivery.job import prepared
from service.delivery.journal import Journal
from service.delivery.outcomes import OUTCOMES, Outcome, Stopped
from service.delivery.report import Heading, counted, write_reports
from service.delivery.run import Delivery, Job, Progress
from service.delivery.sending import Sender
from service.delivery.uploads.intake import Allowed, Intake
from service.delivery.uploads.shelf import (
    UNFINISHED,
    Shelf,
    Standing,
    Upload,
    is_gone,
    now_ms,
    stand,
)
from service.ending import cancelled
from service.errors import Conflict, HeadraceError
from service.reach.addresses import Reach
from service.reach.http import GuardedTransport
from service.telemetry import log

_BETWEEN_LOOKS = 1.0
_BETWEEN_NOTES = 0.5
_BETWEEN_SWEEPS = 60


@dataclass(frozen=True, slots=True)
class Kept:
    """How many uploads a process delivers at once; seconds that they are kept after their end."""

    at_once: int
    seconds: float


class Uploads:
    """The uploads of this machine, and those of them that this process delivers."""

    def __init__(self, shelf: Shelf, allowed: Allowed, kept: Kept, allow_private: bool) -> None:
        self.shelf = shelf
        self.allowed = allowed
        self._at_once = kept.at_once
        self._kept_for = kept.seconds
        self._allow_private = allow_private
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stop = asyncio.Event()
        self._woken = asyncio.Event()

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Deliver what waits for as long as the context lasts. It ends in good order; what is
        unfinished then goes on with the next process."""
        keeping = asyncio.create_task(self._keep(), name="uploads")
        try:
            yield
        finally:
            self._stop.set()
            await cancelled(keeping)
            await asyncio.gather(*self._running.values())

    def intake(self, tenant: str, announced: int) -> Intake:
        """Take a file in, of so many bytes or (0) nobody knows how many.

        Raises Overloaded when there is no room for it, Conflict when the environment has too many.
        """
        return Intake(self.shelf, tenant, announced, self.allowed)

    def wake(self) -> None:
        """There is something new to look at."""
        self._woken.set()

    async def _keep(self) -> None:
        rounds, woken = 0, True
        while True:
            try:
                if woken or rounds % _BETWEEN_SWEEPS == 0:
                    await asyncio.to_thread(self.shelf.sweep, self._kept_for, list(self._running))
                await self._start_some()
            except OSError as error:
                log().warning("uploads.disk", error=str(error))
            rounds += 1
            woken = await _either(self._woken, _BETWEEN_LOOKS)
            self._woken.clear()

    async def _start_some(self) -> None:
        found = await asyncio.to_thread(lambda: list(self.shelf.all()))
        waiting = [one for one in found if one.standing.state in UNFINISHED]
        for upload in sorted(waiting, key=lambda one: one.told.asked_at):
            if len(self._running) < self._at_once and upload.told.id not in self._running:
                task = asyncio.create_task(self._carry_out(upload), name=upload.told.id)
                self._running[upload.told.id] = task

    async def _carry_out(self, upload: Upload) -> None:
        try:
            await self._deliver(upload)
        except Conflict:
            pass  # another process is at it
        except (HeadraceError, Stopped) as error:
            self._end(upload, "stopped", str(error))
        except Exception as error:
            log().exception("uploads.broken", id=upload.told.id)
            self._end(upload, "stopped", f"something went wrong here: {type(error).__name__}")
        finally:
            del self._running[upload.told.id]
            self._woken.set()

    async def _deliver(self, upload: Upload) -> None:
        told = upload.told
        config = read_config(self.shelf.config_of(upload), None, "config")
        job = await asyncio.to_thread(
            prepared, upload.rows, config, told.api, told.mapping, upload.delivery
        )
        with Journal(job.folder, job.about) as journal:
            before = await asyncio.to_thread(counted, journal.path)
            progress = await self._sent(upload, job, journal, before)
            if progress.done or not self._stop.is_set():
                state = "complete" if progress.done else progress.stopped
                heading = Heading(told.name, job.api.rows_url, state)
                keys = config.report.key_columns
                reports = await asyncio.to_thread(
                    write_reports, journal.path, upload.delivery, heading, keys
                )
                standing = _standing(progress, reports.outcomes)
                stand(upload, standing)

    async def _sent(
        self, upload: Upload, job: Job, journal: Journal, before: Mapping[Outcome, int]
    ) -> Progress:
        transport = GuardedTransport(Reach(self._allow_private))
        async with Sender(job.api, job.examined.digest, transport) as sender:
            delivery, stop = Delivery(job, sender), asyncio.Event()
            async with self._noting(upload, delivery.progress, before, stop):
                await sender.check_health()
                return await delivery.run(journal, stop)

    @asynccontextmanager
    async def _noting(
        self,
        upload: Upload,
        progress: Progress,
        before: Mapping[Outcome, int],
        stop: asyncio.Event,
    ) -> AsyncIterator[None]:
        """Write down how far it is, and heed when it is to end."""

        async def note() -> None:
            while True:
                sums = {o: before[o] * (o != "failed") + progress.outcomes[o] for o in OUTCOMES}
                await asyncio.to_thread(stand, upload, _standing(progress, sums, "sending"))
                if await _either(self._stop, _BETWEEN_NOTES) or is_gone(upload):
                    stop.set()
                    return

        noting = asyncio.create_task(note())
        try:
            yield
        finally:
            await cancelled(noting)

    def _end(self, upload: Upload, state: str, reason: str) -> None:
        if not is_gone(upload):
            ended = msgspec.structs.replace(
                upload.standing, state=state, reason=reason, changed_at=now_ms()
            )
            stand(upload, ended)


def _standing(
    progress: Progress, outcomes: Mapping[Outcome, int], state: str | None = None
) -> Standing:
    return Standing(
        state=state or ("done" if progress.done else "stopped"),  # type: ignore[arg-type]
        reason=progress.stopped,
        size=progress.size,
        byte=progress.size if progress.done else max(progress.byte, progress.resumed_at),
        outcomes=outcomes,
        delay=progress.delay,
        closed_for=progress.closed_for,
        changed_at=now_ms(),
    )


async def _either(event: asyncio.Event, seconds: float) -> bool:
    """Return when it is set, or after so many seconds; whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
