"""The two forms in which states reach a client: server-sent events, and WebSocket messages.

    id: 18c2a-5f…                        {"id":"18c2a-5f…","success":true,"data":{…}}
    data: {"success":true,"data":{…}}

Events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import Sequence
from typing import Any, Protocol

from litestar.types import Send

from service.api.answers import Header
from service.api.sockets import subprotocol_of
from service.errors import HeadraceError, Retryable

EVENT_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx keeps answers back otherwise
    (b"connection", b"close"),
)
_TRY_AGAIN_LATER, _POLICY, _FAILED = 1013, 1008, 1011
"""Why a WebSocket is closed (https://www.iana.org/assignments/websocket)."""


class Outlet(Protocol):
    """One way out. Each call returns when the client is ready for more."""

    async def begin(self, headers: Sequence[Header]) -> None:
        """The client is let in."""
        ...

    async def tell(self, id: str, body: bytes) -> None:
        """A document, and the id of its state."""
        ...

    async def beat(self) -> None:
        """There is nothing new, and the connection is alive."""
        ...

    async def fail(self, error: Exception, body: bytes) -> None:
        """The end, for this reason; `body` is what an answer would say."""
        ...

    async def end(self) -> None:
        """The end."""
        ...


class Events:
    """Server-sent events."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def begin(self, headers: Sequence[Header]) -> None:
        named = [*EVENT_HEADERS, *headers]
        await self._send({"type": "http.response.start", "status": 200, "headers": named})
        await self._write(b"retry: 2000\n\n")

    async def tell(self, id: str, body: bytes) -> None:
        await self._write(b"id: %b\ndata: %b\n\n" % (id.encode(), body))

    async def beat(self) -> None:
        await self._write(b":\n\n")

    async def fail(self, error: Exception, body: bytes) -> None:
        await self._write(b"event: error\ndata: %b\n\n" % body, more=False)

    async def end(self) -> None:
        await self._write(b"", more=False)

    async def _write(self, text: bytes, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": text, "more_body": more})


class Messages:
    """Messages of a WebSocket. The server's pings keep it alive; closing it is the server's too."""

    def __init__(self, scope: Any, send: Send) -> None:
        self._subprotocol = subprotocol_of(scope)
        self._send = send

    async def begin(self, headers: Sequence[Header]) -> None:
        await self._send(
            {"type": "websocket.accept", "subprotocol": self._subprotocol, "headers": headers}
        )

    async def tell(self, id: str, body: bytes) -> None:
        await self._write(b'{"id":"%b",%b' % (id.encode(), body[1:]))

    async def beat(self) -> None:
        pass

    async def fail(self, error: Exception, body: bytes) -> None:
        await self._write(body)
        code, reason = _POLICY, getattr(error, "code", "")
        if not isinstance(error, HeadraceError) or error.retryable:
            code = _TRY_AGAIN_LATER if isinstance(error, Retryable) else _FAILED
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def end(self) -> None:
        pass

    async def _write(self, text: bytes) -> None:
        await self._send({"type": "websocket.send", "text": text.decode(), "bytes": None})
