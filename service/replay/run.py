"""The replay itself: measure, ask what is counted, send, ask again, report."""

import asyncio
import contextlib
import signal
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from service.client import Client, ClientOptions, Sent
from service.errors import HeadraceError, InvalidInput
from service.recordings import recording
from service.recordings.recording import BadLine, Extent, Recording, together
from service.replay.counting import Baseline, baseline, counted
from service.replay.pace import Pace
from service.replay.parcels import Parcel, parcels, size
from service.replay.progress import Shown, progress
from service.replay.report import Report, Tally

_PATIENCE_TO_REACH = 3.0
"""Seconds to try for a service that may not be there at all."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to replay."""

    rate: float | None = None
    """Events a second at most."""
    speed: float | None = None
    """Keep the recorded pace, this many times as fast; None: as fast as it goes."""
    batch: int = 500
    """Events in one request, at most 1000."""
    shift_to_now: bool = False
    """Move all times by the same span, so that the last event is now. Ids stay as they are."""
    repeat: int = 1
    """Send everything this often, under the same ids: all but the first are repeats."""
    concurrency: int = 8
    """Requests under way at once."""
    strict: bool = False
    """Stop at the first row that is no event or is refused."""
    trust: ssl.SSLContext | bool = True
    """Which certificates will do, as a client's options say it."""


async def replay(
    paths: Sequence[str | Path],
    options: ReplayOptions,
    base_url: str,
    api_key: str,
    console: Console,
) -> Report:
    """Send recorded events and check that each counts once; `report.exit_code` has the verdict.

    `paths` are NDJSON or CSV files, or names of packaged recordings. Ctrl-C ends it after the
    requests under way, with its table and check. Raises InvalidInput before anything is sent if a
    file cannot be read or has no event, Unreachable if the service is not there.
    """
    stop = asyncio.Event()
    with _interrupts(stop):
        recordings = [recording(path) for path in paths]
        return await Replay(recordings, options, console, stop).run(base_url, api_key)


async def replay_recordings(
    recordings: Sequence[Recording],
    options: ReplayOptions,
    base_url: str,
    api_key: str,
    console: Console,
) -> Report:
    """The same for recordings at hand, leaving signals to the caller."""
    return await Replay(recordings, options, console, asyncio.Event()).run(base_url, api_key)


@contextlib.contextmanager
def _interrupts(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C sets `stop` the first time and interrupts as usual the second time."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    # Windows has no such handlers, and only the main thread may have them.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)


class Replay:
    """One run over some recordings. `stop` ends it early."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        options: ReplayOptions,
        console: Console,
        stop: asyncio.Event,
    ) -> None:
        self._recordings = recordings
        self._options = options
        self._console = console
        self._stop = stop
        self._tally = Tally()
        self._failure = ""
        self._shift = 0

    async def run(self, base_url: str, api_key: str) -> Report:
        """Send everything and report. Raises what `replay` raises."""
        extent = await self._extent()
        before = await self._baseline(base_url, api_key, extent)
        said = self._options
        limits = ClientOptions(said.batch, said.concurrency, trust=said.trust)
        async with Client(base_url, api_key, limits) as client:
            with progress(self._console, self._name(), extent.events * self._options.repeat) as bar:
                await self._send_all(client, bar)
            report = await self._checked(client, before, interrupted=self._stop.is_set())
        report.show(self._console)
        return report

    async def _extent(self) -> Extent:
        """The span of what will be sent: read once before, so that the end is known."""
        extent = together([await asyncio.to_thread(r.extent) for r in self._recordings])
        if self._options.shift_to_now:
            self._shift = int(time.time() * 1000) - extent.last
        return replace(extent, first=extent.first + self._shift, last=extent.last + self._shift)

    async def _baseline(self, base_url: str, api_key: str, extent: Extent) -> Baseline:
        hasty = ClientOptions(patience=_PATIENCE_TO_REACH, trust=self._options.trust)
        async with Client(base_url, api_key, hasty) as client:
            return await baseline(client, extent)

    def _name(self) -> str:
        first, *others = [Path(r.name).name for r in self._recordings]
        return f"{first} and {len(others)} more" if others else first

    async def _send_all(self, client: Client, bar: Shown) -> None:
        for _ in range(self._options.repeat):
            if not self._stop.is_set():
                await self._send_once(client, bar)

    async def _send_once(self, client: Client, bar: Shown) -> None:
        pace = Pace(time.monotonic(), self._options.rate, self._options.speed)
        waiting = self._parcels()
        senders = [self._send(client, waiting, pace, bar) for _ in range(self._options.concurrency)]
        await asyncio.gather(*senders)

    def _parcels(self) -> Iterator[Parcel]:
        """What to send next; bad lines are counted on the way."""
        full = size(self._options.batch, self._options.rate, self._options.speed)
        for source in self._recordings:
            for parcel in parcels(source, full, self._shift):
                if isinstance(parcel, BadLine):
                    self._reject(f"{source.name}:{parcel.line}", parcel.reason)
                else:
                    yield parcel

    async def _send(
        self, client: Client, waiting: Iterator[Parcel], pace: Pace, bar: Shown
    ) -> None:
        """One sender: takes the next parcel until there is none, or it is told to stop."""
        try:
            for parcel in waiting:
                await self._wait_until(pace.due(parcel))
                if self._stop.is_set():
                    return
                began = time.monotonic()
                sent = await client.send(parcel.events)
                self._tally.latencies.append(time.monotonic() - began)
                self._note(parcel, sent)
                bar.advance(len(parcel.events))
        except HeadraceError as error:
            self._failure = self._failure or str(error)
            self._stop.set()

    async def _wait_until(self, due: float) -> None:
        if (pause := due - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)

    def _note(self, parcel: Parcel, sent: Sent) -> None:
        tally = self._tally
        tally.sent += len(parcel.events)
        tally.accepted += sent.accepted
        tally.duplicates += sent.duplicates
        if sent.tries > 1:
            tally.duplicates_retried += sent.duplicates
            tally.accepted_retried += sent.accepted
        tally.receipts += sent.receipts
        for rejection in sent.rejected:
            self._reject(parcel.place(rejection.index), rejection.message or rejection.code)

    def _reject(self, place: str, reason: str) -> None:
        self._tally.reject(place, reason)
        if self._options.strict:
            raise InvalidInput(f"{place}: {reason}")

    async def _checked(self, client: Client, before: Baseline, interrupted: bool) -> Report:
        if self._failure:
            return Report(self._tally, failure=self._failure)
        try:
            result = await counted(client, before, self._tally, self._options.concurrency)
        except HeadraceError as error:
            return Report(
                self._tally, failure=f"everything was sent, but the check failed: {error}"
            )
        return Report(self._tally, result, interrupted=interrupted)
