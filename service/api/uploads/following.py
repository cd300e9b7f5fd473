"""How far an upload is, told whenever it changes, until it has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from litestar.types import Receive, Scope, Send

from service.api.answers import Answer
from service.api.calls import Call
from service.api.outlets import EVENT_HEADERS, Events
from service.api.problems import answer_error
from service.api.streams import CONNECTION, Connection

Look = Callable[[], Awaitable[tuple[bytes, bool]]]
"""The document now, and whether it is the last one. Raises what a request would be refused with."""

_BETWEEN_LOOKS = 0.5
_BEAT = 15.0


class Following(Answer):
    """Server-sent events, one for each change."""

    def __init__(self, look: Look) -> None:
        super().__init__(200, b"", *EVENT_HEADERS)
        self._look = look
        self._left = asyncio.Event()

    def plus(self, *headers: Any) -> "Following":
        self.answer_headers += headers
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions: Any = scope["extensions"]
        connection: Connection = extensions[CONNECTION]
        connection.hold(self._left.set)
        gone = asyncio.create_task(self._leave_when_gone(receive))
        try:
            await self._tell(Events(send), Call(scope, receive))
        finally:
            gone.cancel()
            connection.cut(1.0)

    async def _tell(self, outlet: Events, call: Any) -> None:
        await outlet.begin(self.answer_headers[len(EVENT_HEADERS) :])
        told, number, quiet = b"", 0, 0.0
        try:
            while not self._left.is_set():
                document, last = await self._look()
                if document != told:
                    told, number, quiet = document, number + 1, 0.0
                    await outlet.tell(str(number), document)
                elif quiet >= _BEAT:
                    quiet = 0.0
                    await outlet.beat()
                if last:
                    break
                quiet += _BETWEEN_LOOKS
                await self._pause()
        except Exception as error:
            await outlet.fail(error, answer_error(call, error).to_asgi_response().content)
        else:
            await outlet.end()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_BETWEEN_LOOKS):
                await self._left.wait()
        except TimeoutError:
            pass

    async def _leave_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left.set()
