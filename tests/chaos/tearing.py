"""A writer on the ClickHouse engine in this process, made to be killed in the middle of an insert.

    python -m tests.chaos.tearing FOLDER NATS_URL PART

Says `begun N` when it begins the insert of N rows and `ended` when that is done. PART is `sound`,
or what is broken on purpose: `random-token`, or `highest-position`.
"""

import asyncio
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from service.errors import HeadraceError
from service.migrate import migrate
from service.settings import Settings
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT, Pending, Progress, Statement
from service.stream.jetstream import JetStream, open_jetstream
from service.stream.ledger import BUCKET, NatsLedger
from service.writer import Writer


class Telling:
    """An engine that says when it inserts."""

    def __init__(self, engine: InProcess, part: str) -> None:
        self._engine = engine
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def insert(self, table: str, rows: pa.Table, settings: Mapping[str, str]) -> None:
        print("begun", rows.num_rows, flush=True)  # noqa: T201
        if self._part == "random-token":
            settings = {**settings, "insert_deduplication_token": secrets.token_hex(8)}
        await self._engine.insert(table, rows, settings)
        print("ended", flush=True)  # noqa: T201


class TrustingStore(ClickHouseStore):
    """Resumes from the highest position that it holds, whatever was begun."""

    async def progress(self) -> Progress:
        noted = await super().progress()
        [found] = await self.fetch(Statement("highest_position", {"after": 0}))
        sequence = found["highest"][0].as_py() & (1 << EPOCH_SHIFT) - 1
        if self._entry and self._entry.pending and sequence > noted.sequence:
            after = self._entry.after
            reached = Progress(after.epoch, after.stream_created, sequence)
            self._entry = type(self._entry)(noted, reached, True, 0, b"", "")
            return reached
        return noted

    async def pending(self) -> Pending | None:
        return None


class TrustingWriter(Writer):
    """Goes on where the store says, without a look at the stream."""

    async def _is_the_same_stream(self, stored: Progress, state: Any) -> bool:
        return stored.epoch > 0


async def open_writer(folder: Path, stream: JetStream, part: str) -> tuple[Writer, ClickHouseStore]:
    kind = TrustingStore if part == "highest-position" else ClickHouseStore
    writing = TrustingWriter if part == "highest-position" else Writer
    engine: Any = Telling(await InProcess.open(folder), part)
    store = kind(engine, NatsLedger(await stream.bucket(BUCKET)), shared=False)
    await migrate(store)
    return writing(stream, store, Mark(), Settings(group_seconds=0.0)), store


async def write(folder: Path, url: str, part: str) -> None:
    stream = await open_jetstream(url, 1 << 30, 120)
    writer, store = await open_writer(folder, stream, part)
    try:
        await writer.drain()
    except HeadraceError as error:
        print(error, flush=True)  # noqa: T201
        raise
    await store.close()
    await stream.close()


def main(arguments: Sequence[str]) -> None:
    folder, url, part = arguments
    asyncio.run(write(Path(folder), url, part))


if __name__ == "__main__":
    main(sys.argv[1:])
