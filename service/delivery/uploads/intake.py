"""One file on its way in: written as it comes, checked when it is whole."""

import asyncio
import shutil
from pathlib import Path
from typing import Self

from service.delivery.config_file import read_config
from service.delivery.job import prepared
from service.delivery.uploads.shelf import Shelf, Told, Upload, now_ms
from service.errors import InvalidInput, TooLarge

_AT_ONCE = 1024 * 1024
_LONGEST_NAME = 200


class Intake:
    """Takes in one file of a tenant. Use it as a context: what was not finished is deleted."""

    def __init__(self, shelf: Shelf, tenant: str, announced: int, largest: int) -> None:
        self._shelf = shelf
        self._tenant = tenant
        self._largest = largest
        self._id, self._folder = shelf.begin(announced)
        self._file = (self._folder / "rows.csv").open("wb")
        self._waiting = bytearray()
        self._size = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def write(self, piece: bytes) -> None:
        """The next bytes of the file. Raises TooLarge."""
        self._size += len(piece)
        if self._size > self._largest:
            raise TooLarge(f"the file may have at most {self._largest} bytes", "file")
        self._waiting += piece
        if len(self._waiting) >= _AT_ONCE:
            await self._flush()

    async def finish(self, name: str, config: str, api: str, mapping: str) -> Upload:
        """The upload, once file and configuration fit each other. Raises InvalidInput."""
        await self._flush()
        self._file.close()
        read = read_config(config, None, "config")
        await asyncio.to_thread(
            prepared, self._folder / "rows.csv", read, api, mapping, self._folder / "delivery"
        )
        told = Told(self._id, self._tenant, _shown(name), api, mapping, "", now_ms())
        return await asyncio.to_thread(self._shelf.put, self._folder, told, config)

    async def _flush(self) -> None:
        waiting, self._waiting = self._waiting, bytearray()
        await asyncio.to_thread(self._file.write, waiting)


def _shown(name: str) -> str:
    """The name of a file as its sender calls it, without folders and what cannot be printed."""
    last = Path(name.replace("\\", "/")).name
    kept = "".join(sign for sign in last if sign.isprintable())[:_LONGEST_NAME]
    if not kept:
        raise InvalidInput("the file has no name", "file")
    return kept
