"""A service like `headrace up` with one part broken on purpose: the judge must find it out.

    python -m tests.chaos.broken PART

Each part breaks one rule of the write road in a few lines, and looks well until something dies.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import uvicorn

from service.app import create_app
from service.bootstrap import Service, open_service
from service.hints import Hints
from service.ingest import Ingest
from service.near_net import Keys, NearNet, Positions
from service.plan import STORED
from service.publisher import Publisher
from service.settings import load
from service.storage.protocol import EPOCH_SHIFT, EventStore, Group, Statement
from service.stream.protocol import Receipt, Stream
from service.worker import work
from service.writer import Writer


class HastyStream:
    """Acknowledges before the broker has."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._later: set[asyncio.Task[Receipt]] = set()

    async def publish(self, *arguments: Any) -> Receipt:
        self._later.add(asyncio.create_task(self._stream.publish(*arguments)))
        return Receipt(1, duplicate=False)


class MarkFirstStore:
    """Moves the progress mark at once and stores the rows with the next group."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._late: Group | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, group: Group) -> None:
        await self._store.append(replace(group, rows=group.rows.slice(0, 0)))
        if self._late:
            await self._store.append(replace(self._late, before=group.after, after=group.after))
        self._late = group


class MarkLastStore(MarkFirstStore):
    """Stores the rows at once and moves the progress mark with the next group."""

    async def append(self, group: Group) -> None:
        stored = await self._store.progress()
        await self._store.append(replace(group, before=stored, after=stored))
        if self._late:
            await self._store.append(Group(group.rows.slice(0, 0), stored, self._late.after))
        self._late = group


class TrustingWriter(Writer):
    """Resumes from the highest sequence it has stored, whichever stream that was."""

    async def begin(self) -> None:
        await super().begin()
        highest = Statement("highest_position", {"after": 0})
        [found] = await self._store.fetch(highest)
        sequence = found["highest"][0].as_py() & ((1 << EPOCH_SHIFT) - 1)
        resumed = replace(self._stored, sequence=max(sequence, self._stored.sequence))
        await self._store.append(Group(STORED.empty_table(), self._stored, resumed))
        self._stored = resumed

    async def _is_in_place(self) -> bool:
        return True


class ForgetfulNet(NearNet):
    """Has never seen anything, and says that it never forgot anything either."""

    def find(self, keys: Keys) -> Positions:
        return np.zeros(len(keys), np.uint64)


class ForgetfulWriter(Writer):
    """Judges no repeats over group borders."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.near_net = ForgetfulNet(self.near_net.ids)


def break_part(service: Service, part: str) -> Service:
    """The service with one part put in place of a sound one."""
    match part:
        case "hasty-door":
            hasty: Any = HastyStream(service.stream)
            hints = Hints(service.writer.near_net)
            publisher = Publisher(hasty, service.mark, hints, service.settings)
            return replace(service, ingest=Ingest(publisher, service.receipts, service.settings))
        case "mark-first":
            return _with_writer(service, Writer, MarkFirstStore(service.store))
        case "mark-last":
            return _with_writer(service, Writer, MarkLastStore(service.store))
        case "trusting-writer":
            return _with_writer(service, TrustingWriter, service.store)
        case "forgetful-writer":
            return _with_writer(service, ForgetfulWriter, service.store)
    raise SystemExit(f"no such part: {part}")


def _with_writer(service: Service, kind: type[Writer], store: Any) -> Service:
    return replace(service, writer=kind(service.stream, store, service.mark, service.settings))


class Server(uvicorn.Server):
    capture_signals = nullcontext  # type: ignore[assignment]


async def up(part: str) -> None:
    settings = load(os.environ)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_service(settings) as sound:
        service = break_part(sound, part)
        await service.writer.begin()
        working = asyncio.create_task(work(service, stop))
        application: Any = create_app(service)
        server = Server(
            uvicorn.Config(application, port=settings.port, lifespan="off", log_config=None)
        )
        serving = asyncio.create_task(server.serve())
        await working
        server.should_exit = True
        await serving


def main(arguments: Sequence[str]) -> None:
    [part] = arguments
    asyncio.run(up(part))


if __name__ == "__main__":
    main(sys.argv[1:])
