"""One file on its way in: written as it comes, checked when it is whole."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from service.delivery.config_file import read_config
from service.delivery.job import prepared
from service.delivery.uploads.shelf import Shelf, Told, Upload, now_ms
from service.errors import Conflict, InvalidInput, TooLarge

_AT_ONCE = 1024 * 1024
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an environment may send."""

    largest: int
    """Bytes of a file."""
    unfinished: int
    """Uploads that have not ended."""
    bytes: int
    """Of all its files that are kept."""


class Intake:
    """Takes in one file of a tenant. Use it as a context: what was not finished is deleted."""

    def __init__(self, shelf: Shelf, tenant: str, announced: int, allowed: Allowed) -> None:
        self._shelf = shelf
        self._tenant = tenant
        self._allowed = allowed
        unfinished, self._held = shelf.held(tenant)
        if unfinished >= allowed.unfinished:
            about = "wait for one to end, or remove one"
            raise Conflict(f"{unfinished} uploads of this environment have not ended: {about}")
        self._check(announced)
        self._begun = shelf.begin(tenant, announced)
        self._folder = self._begun.folder
        self._file = (self._folder / "rows.csv").open("wb")
        self._waiting = bytearray()
        self._size = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        os.close(self._begun.lock)

    async def write(self, piece: bytes) -> None:
        """The next bytes of the file. Raises TooLarge, Conflict."""
        self._size += len(piece)
        if self._size > self._allowed.largest:
            raise TooLarge(f"the file may have at most {self._allowed.largest} bytes", "file")
        self._check(self._size)
        self._waiting += piece
        if len(self._waiting) >= _AT_ONCE:
            await self._flush()

    async def checked(self, name: str, config: str, api: str, mapping: str) -> Told:
        """What is to be done, once file and configuration fit each other. Raises InvalidInput."""
        await self._flush()
        self._file.close()
        read = read_config(config, None, "config")
        await asyncio.to_thread(
            prepared, self._folder / "rows.csv", read, api, mapping, self._folder / "delivery"
        )
        return Told(self._begun.id, self._tenant, _shown(name), api, mapping, config, now_ms())

    async def finish(self, told: Told) -> Upload:
        """The upload. It will be delivered, whatever happens."""
        return await asyncio.to_thread(self._shelf.put, self._folder, told)

    @property
    def size(self) -> int:
        """Bytes that came."""
        return self._size

    def _check(self, size: int) -> None:
        if self._held + size > self._allowed.bytes:
            room = f"{self._held} of {self._allowed.bytes} bytes"
            raise Conflict(f"the files of this environment take {room}: remove uploads that ended")

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
