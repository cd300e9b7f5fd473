"""A file that is sent while it is written: its size is bounded by nobody's memory.

A download that fails is cut off without the end that HTTP has for an answer, so that no client
takes it for whole. One whose client reads nothing is cut off by the connection's own rules
(`service/api/wire.py`); nothing is asked of the store meanwhile.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pyarrow as pa
from litestar.types import Receive, Scope, Send

from service.api.answers import Answer, Header
from service.api.bodies import ClientGone
from service.api.served import hung_up, while_heard
from service.api.streams import CONNECTION, Connection
from service.formats.choice import Format
from service.formats.encoders import encoder_of
from service.telemetry import log

_FAREWELL = 0.2
"""Seconds in which what was written may still reach the client."""


class Download(Answer):
    """The tables that `pages` gives, all of one schema, as a file. The first one was asked for."""

    def __init__(
        self, form: Format, first: pa.Table, pages: AsyncGenerator[pa.Table], *headers: Header
    ) -> None:
        super().__init__(200, b"", *headers)
        self._form = form
        self._first = first
        self._pages = pages
        self._leaving = False

    def plus(self, *headers: Header) -> "Download":
        self.answer_headers += headers
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions: Any = scope["extensions"]
        connection: Connection = extensions[CONNECTION]
        connection.hold(self._leave)
        try:
            await send(_start(self.answer_headers))
            async for piece in self._pieces(receive):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ClientGone:
            log().info("api.download.left")
        except Exception as error:
            log().warning("api.download.broken", error=repr(error))
            connection.cut(_FAREWELL)
            await hung_up(receive)  # the server takes an answer that just stops for a mistake
        finally:
            await self._pages.aclose()

    async def _pieces(self, receive: Receive) -> AsyncIterator[bytes]:
        encoder = encoder_of(self._form, self._first.schema)
        yield encoder.begin()
        table: pa.Table | None = self._first
        while table is not None:
            yield await asyncio.to_thread(encoder.write, table)
            if self._leaving:
                raise _Left
            table = await while_heard(receive, anext(self._pages, None))
        yield encoder.end()

    def _leave(self) -> None:
        """The service ends; whoever reads goes on elsewhere."""
        self._leaving = True


class _Left(Exception):
    """The connection is to be left before all was sent."""


def _start(headers: Sequence[Header]) -> Any:
    return {"type": "http.response.start", "status": 200, "headers": headers}
