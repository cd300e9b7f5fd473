"""A whole delivery: every row that is not settled yet is sent, and what became of it is kept."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from service import crash
from service.delivery.config import Api
from service.delivery.journal import Delivered, Entry, Journal, Standing
from service.delivery.outcomes import OUTCOMES, Outcome, Pending, Piece, Stopped, Verdict
from service.delivery.sending import Sender
from service.delivery.shaping import Shape
from service.formats.csv_rows import CsvFile, Examined, Row

GRACE = 5.0
"""Seconds that requests under way are given when a delivery is told to end."""
_AT_ONCE, _BYTES_AT_ONCE = 256, 1024 * 1024
"""Requests that are made in one go, and bytes of them."""

Task = asyncio.Task[None]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Job:
    """What is delivered where."""

    file: CsvFile
    examined: Examined
    api: Api
    shape: Shape
    fingerprint: str
    """Of what rows are made into."""
    folder: Path
    """Where the journal is kept."""

    @property
    def about(self) -> Delivered:
        """What its journal says that it is about."""
        digest = self.examined.digest.hex()
        return Delivered(digest, self.examined.size, self.api.rows_url, self.fingerprint)


@dataclass(slots=True)
class Progress:
    """How far a run is. Rows that were settled before it began are not in `outcomes`."""

    size: int
    byte: int = 0
    """Of the file, about; the last row that was settled."""
    resumed_at: int = 0
    rows: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    delay: float = 0.0
    """Seconds between batches, now."""
    closed_for: float = 0.0
    """Seconds that nothing is sent for, because the API asked for it or is not well."""
    stopped: str = ""
    """Why it ended before its end."""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows of one request; or rows with problems, which no request is made for."""

    rows: Sequence[Pending] = ()
    invalid: Sequence[Entry] = ()


class Delivery:
    """One run over a job. `progress` may be looked at at any time."""

    def __init__(self, job: Job, sender: Sender) -> None:
        self._job = job
        self._sender = sender
        self._workers = job.api.settings.max_concurrent_requests
        self._queue: asyncio.Queue[Parcel | None] = asyncio.Queue(maxsize=self._workers)
        self._halt = asyncio.Event()
        self.progress = Progress(job.examined.size)

    @property
    def name(self) -> str:
        """Of the file."""
        return self._job.file.path.name

    async def run(
        self, journal: Journal, stop: asyncio.Event, at_once: asyncio.Event | None = None
    ) -> Progress:
        """Send what is to be sent, until all of it is settled, `stop` is set, or no row can be
        delivered at all (`progress.stopped` says why). Requests under way then are given `GRACE`
        seconds, but not when `at_once` is set."""
        standing = await asyncio.to_thread(journal.standing)
        self.progress.resumed_at = standing.cursor.byte if standing.cursor else 0
        reading = asyncio.create_task(self._read(standing))
        workers = [asyncio.create_task(self._work(journal)) for _ in range(self._workers)]
        work = asyncio.gather(reading, *workers)
        try:
            await _first([work, stop.wait(), self._halt.wait()])
            if work.done():
                work.result()
            else:
                await self._end(reading, workers, at_once or asyncio.Event())
        finally:
            await _ended([work, reading, *workers])
        self.progress.done = not self.progress.stopped
        self._look()
        return self.progress

    async def _end(self, reading: Task, workers: Sequence[Task], at_once: asyncio.Event) -> None:
        """Take up nothing more, and let what is under way come to its end."""
        self.progress.stopped = self.progress.stopped or "told to end"
        self._halt.set()
        await _ended([reading])
        while not self._queue.empty():
            self._queue.get_nowait()
        for _ in workers:
            self._queue.put_nowait(None)
        await _first([asyncio.wait(workers, timeout=GRACE), at_once.wait()])

    async def _read(self, standing: Standing) -> None:
        found = self._parcels(standing)
        while some := await asyncio.to_thread(_some, found):
            for parcel in some:
                if parcel.rows:
                    await self._sender.pace.turn(len(parcel.rows))
                await self._queue.put(parcel)
                self._look()
        for _ in range(self._workers):
            await self._queue.put(None)

    async def _work(self, journal: Journal) -> None:
        while (parcel := await self._queue.get()) is not None:
            try:
                kept = [*parcel.invalid, *await self._send(parcel.rows)]
            except Stopped as error:
                self.progress.stopped = self.progress.stopped or str(error)
                self._halt.set()
                return
            await journal.keep(kept)
            self._note(kept)

    async def _send(self, rows: Sequence[Pending]) -> Sequence[Entry]:
        if not rows:
            return []
        crash.point("delivery.before_send")
        verdicts = await self._sender.send([row.piece for row in rows])
        crash.point("delivery.after_send")
        return [_entry(row, verdict) for row, verdict in zip(rows, verdicts, strict=True)]

    def _parcels(self, standing: Standing) -> Iterator[Parcel]:
        """The rows to send, in requests: those of one request stand in one block of the file, so
        that it is made of the same rows, and has the same key, whenever it is made again."""
        most, block, rows = self._job.api.settings.rows_per_request, -1, list[Pending]()
        for row in self._job.file.rows(standing.cursor):
            if standing.is_settled(row.number):
                continue
            pending = pending_of(row, self._job.shape)
            if isinstance(pending, Entry):
                yield Parcel(invalid=[pending])
                continue
            if rows and (row.number - 1) // most != block:
                yield Parcel(rows)
                rows = []
            rows.append(pending)
            block = (row.number - 1) // most
        if rows:
            yield Parcel(rows)

    def _note(self, kept: Sequence[Entry]) -> None:
        for entry in kept:
            self.progress.outcomes[entry.outcome] += 1
            self.progress.byte = max(self.progress.byte, entry.after[0])
        self.progress.rows += len(kept)

    def _look(self) -> None:
        self.progress.delay = self._sender.pace.delay
        self.progress.closed_for = self._sender.gate.closed_for


def pending_of(row: Row, shape: Shape) -> Pending | Entry:
    """A row as it is sent, or what is wrong with it."""
    place = (row.after.byte, row.after.line)
    if row.problem:
        return Entry(row.number, row.line, place, "rejected", 0, [], f"not sent: {row.problem}")
    shaped = shape.of(row.cells)
    if shaped.problems:
        reason = f"not sent: {'; '.join(shaped.problems)}"
        return Entry(row.number, row.line, place, "rejected", 0, shaped.keys, reason)
    hidden = [cell for cell in row.cells if cell not in shaped.keys]
    piece = Piece(str(row.number), _encode(shaped.body), hidden)
    return Pending(row.number, row.line, row.after, shaped.keys, piece)


def _entry(row: Pending, verdict: Verdict) -> Entry:
    place = (row.after.byte, row.after.line)
    said = (verdict.outcome, verdict.status, row.keys, verdict.reason)
    return Entry(row.number, row.line, place, *said)


def _some(parcels: Iterator[Parcel]) -> Sequence[Parcel]:
    """The next ones, as many as are made in one go; none at the end."""
    some, size = list[Parcel](), 0
    for parcel in parcels:
        some.append(parcel)
        size += sum(len(row.piece.body) for row in parcel.rows)
        if len(some) == _AT_ONCE or size >= _BYTES_AT_ONCE:
            break
    return some


async def _first(waiting: Sequence[Awaitable[Any]]) -> None:
    """Return when one of them is done; those that are no tasks are not waited for any more."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _ended([t for t, one in zip(tasks, waiting, strict=True) if t is not one])


async def _ended(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what still runs, and wait for it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
