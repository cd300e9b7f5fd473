"""The ledger of stores on the broker: one value a store, moved by compare-and-set."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from service.errors import StoreFenced
from service.storage.ledger import Entry
from service.stream.bucket import Bucket, Moved
from service.telemetry import log

BUCKET = "HEADRACE_LEDGER"
LOOK_EVERY = 0.5
"""Seconds after which a follower looks without having heard anything."""

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Entry).decode


class NatsLedger:
    """A `Ledger` in a bucket of this name. Fences: of two writers one alone can move an entry."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def read(self, store: str) -> tuple[Entry | None, int]:
        value, revision = await self._bucket.get(store)
        return (_decode(value) if value else None), revision

    async def write(self, store: str, entry: Entry, revision: int) -> int:
        try:
            return await self._bucket.put(store, _encode(entry), revision)
        except Moved:
            found, _ = await self.read(store)
        if found and found.writer == entry.writer:
            raise ConnectionError("an entry of this writer was kept although no answer came")
        raise StoreFenced(f"another writer has moved the ledger: {found.writer if found else ''}")

    async def follow(self, store: str) -> AsyncIterator[Entry]:
        seen = 0
        while True:
            try:
                entry, revision = await self.read(store)
            except ConnectionError as error:
                log().warning("ledger.waiting", reason=str(error))
                await asyncio.sleep(LOOK_EVERY)
                continue
            if entry and revision != seen:
                seen = revision
                yield entry
            else:
                await self._bucket.wait(LOOK_EVERY)
