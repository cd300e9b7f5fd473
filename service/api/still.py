"""An answer that lasts as long as the caller stays: meanwhile the event store is held still."""

import asyncio
from typing import Any

from litestar.types import Receive, Scope, Send

from service.api.answers import Answer
from service.api.served import hung_up
from service.api.streams import CONNECTION, Connection
from service.ending import first_of
from service.storage.protocol import EventStore
from service.telemetry import log

LONGEST = 6 * 3600.0
"""Seconds after which it is over, whoever still listens."""


class Still(Answer):
    """A line when nothing is written any more; the end when writing goes on."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(200, b"still\n", (b"content-type", b"text/plain"))
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions: Any = scope["extensions"]
        connection: Connection = extensions[CONNECTION]
        over = asyncio.Event()
        connection.hold(over.set)
        async with self._store.still():
            log().info("storage.held_still")
            await send(
                {"type": "http.response.start", "status": 200, "headers": self.answer_headers}
            )
            await send({"type": "http.response.body", "body": self.content, "more_body": True})
            await first_of(hung_up(receive), over.wait(), asyncio.sleep(LONGEST))
        log().info("storage.goes_on")
        await send({"type": "http.response.body", "body": b"", "more_body": False})
