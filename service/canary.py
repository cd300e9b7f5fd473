"""An event of our own, sent down the whole road again and again, and asked for at its end.

It comes in by ingest, lies on the stream, is stored by whoever writes, and is found by a question
to the store: its age says whether events are being counted, whatever each part says of itself. Its
tenant is no environment, so that nobody's answer counts it (docs/decisions/0024).
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa

from service.ending import cancelled
from service.errors import HeadraceError
from service.events import CANARY, Event, now_ms
from service.storage.protocol import Statement
from service.telemetry import canary_age_seconds, canary_seconds, log

DAYS_KEPT = 1
_FIRST_LOOK = 0.05
_LONGEST_PAUSE = 1.0
"""Seconds between looks at most: so old may be what is told of the age."""
_PATIENCE = 5.0
"""Seconds that a look may take."""


class Takes(Protocol):
    """Where events come in."""

    async def accept(self, tenant: str, records: Sequence[Event]) -> object: ...


class Answers(Protocol):
    """Where they come out."""

    async def fetch(
        self, *statements: Statement, timeout: float | None = None
    ) -> Sequence[pa.Table]: ...


class Canary:
    """One that this process sends every `seconds`; older than `late` seconds it is late.

    0 seconds: none is sent; a `late` of 0: none is ever late.
    """

    def __init__(self, takes: Takes, answers: Answers, seconds: float, late: float) -> None:
        self._takes = takes
        self._answers = answers
        self._seconds = seconds
        self._late = late
        self._sender = f"canary_{secrets.token_hex(8)}"
        self._began = 0
        self._found = 0
        """When the newest one that came out was sent, ms since 1970; before, when this began."""
        self._ill = False

    @property
    def age(self) -> float | None:
        """Seconds since the newest one that came out was sent; None if none is sent here."""
        return (now_ms() - self._found) / 1000 if self._found else None

    def is_late(self) -> bool:
        """Whether nothing of what was sent lately came out."""
        return bool(self._late) and (self.age or 0) > self._late

    async def keep(self) -> None:
        """Send one after the other until cancelled; a failure is logged, and the next one sent."""
        if not self._seconds:
            return
        self._began = self._found = now_ms()
        while True:
            next_one = time.monotonic() + self._seconds
            await self._fly(next_one)
            while (pause := next_one - time.monotonic()) > 0:
                self._tell()
                await asyncio.sleep(min(pause, _LONGEST_PAUSE))

    async def _fly(self, until: float) -> None:
        """Send one, and look for it until it is found or the next one is due."""
        flight = asyncio.create_task(self._send_and_find())
        try:
            while not flight.done() and (left := until - time.monotonic()) > 0:
                self._tell()
                await asyncio.wait([flight], timeout=min(left, _LONGEST_PAUSE))
        finally:
            await cancelled(flight)
        if flight.cancelled():
            self._note("it is not counted yet")
        else:
            flight.result()

    async def _send_and_find(self) -> None:
        try:
            sent = await self._send()
            pause = _FIRST_LOOK
            while not await self._is_found(sent):
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        except (HeadraceError, OSError) as error:
            self._note(str(error) or type(error).__name__)
            return
        canary_seconds.observe((now_ms() - sent) / 1000)
        self._note("")

    async def _send(self) -> int:
        now = now_ms()
        event = Event(
            event_type="canary",
            user_id=self._sender,
            session_id=self._sender,
            timestamp=datetime.fromtimestamp(now / 1000, UTC),
        )
        await self._takes.accept(CANARY, [event])
        return now

    async def _is_found(self, sent: int) -> bool:
        values = {"tenant": CANARY, "sender": self._sender, "start": self._began}
        [found] = await self._answers.fetch(Statement("canary", values), timeout=_PATIENCE)
        self._found = max(self._found, found["latest"][0].as_py() or 0)
        return self._found >= sent

    def _tell(self) -> None:
        canary_age_seconds.set(self.age or 0)

    def _note(self, reason: str) -> None:
        """Say it once, when it begins and when it ends."""
        if reason and not self._ill:
            log().warning("canary.failed", reason=reason, age=self.age)
        if self._ill and not reason:
            log().info("canary.back")
        self._ill = bool(reason)
