"""A file of the disk as an answer, a piece at a time."""

import asyncio
from pathlib import Path
from typing import Any

from litestar.types import Receive, Scope, Send

from service.api.answers import Answer

_PIECE = 256 * 1024


class FileAnswer(Answer):
    """The file as it is now, to be kept under a name (plain ASCII). Raises FileNotFoundError."""

    def __init__(self, path: Path, kind: bytes, name: str) -> None:
        self._file = path.open("rb")
        size = path.stat().st_size
        super().__init__(
            200,
            b"",
            (b"content-type", kind),
            (b"content-length", b"%d" % size),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
        )

    def plus(self, *headers: Any) -> "FileAnswer":
        self.answer_headers += headers
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            start: Any = {
                "type": "http.response.start",
                "status": 200,
                "headers": self.answer_headers,
            }
            await send(start)
            head = scope["method"] == "HEAD"  # type: ignore[typeddict-item]
            while not head and (piece := await asyncio.to_thread(self._file.read, _PIECE)):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
