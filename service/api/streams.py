"""Server-sent events: an answer that goes on until one of the two sides ends it.

    id: 18c2a-5f…            what `Last-Event-ID` says later
    data: {"success":true,…}  the document, as a poll gives it

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from litestar.types import Receive, Scope, Send

from service.api.answers import Answer, Header
from service.api.direct import Call
from service.api.problems import answer_error
from service.api.served import polled
from service.query.listening import Listener, State
from service.telemetry import live_cut, live_pushed

CONNECTION = "headrace.connection"
"""Where the scope has the connection (`service/api/wire.py`)."""

HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx keeps answers back otherwise
    (b"connection", b"close"),
)
_FAREWELL = 1.0
"""Seconds that the last words may take."""
_GREETING = b"retry: 2000\n\n"
_HEARTBEAT = b":\n\n"


class Connection(Protocol):
    """What a stream needs of the connection it goes out on."""

    def hold(self, ending: Callable[[], None]) -> None:
        """An answer without an end begins; call `ending` when the connection has to be left."""
        ...

    def cut(self, after: float = 0.0) -> None:
        """Close in so many seconds, whether the client has read everything or not."""
        ...


class Stalled(Exception):
    """The client reads nothing."""


class EventStream(Answer):
    """Tells a listener's states; `leave` is called when it is over.

    `heartbeat`: seconds after which something is sent though there is nothing new; `stall`:
    seconds that the client may read nothing.
    """

    def __init__(
        self, listener: Listener, leave: Callable[[], None], heartbeat: float, stall: float
    ) -> None:
        super().__init__(200, b"", *HEADERS)
        self._listener = listener
        self._leave = leave
        self._heartbeat = heartbeat
        self._stall = stall

    def plus(self, *headers: Header) -> "EventStream":
        self.answer_headers += headers
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions: Any = scope["extensions"]
        connection: Connection = extensions[CONNECTION]
        gone = asyncio.create_task(self._end_when_gone(receive))
        try:
            connection.hold(self._listener.end)
            await self._tell(_Out(send, self._stall), scope, receive)
            connection.cut(_FAREWELL)
        except Stalled:
            live_cut.inc()
            connection.cut()
            await gone  # the server takes an answer that just stops for a mistake
        finally:
            gone.cancel()
            self._leave()

    async def _tell(self, out: "_Out", scope: Scope, receive: Receive) -> None:
        await out.begin(self.answer_headers)
        try:
            async for state in self._listener.states(self._heartbeat):
                await out.write(_event(state, self._listener) if state else _HEARTBEAT)
                if state:
                    live_pushed.inc()
        except Stalled:
            raise
        except Exception as error:
            problem = answer_error(Call(scope, receive), error).to_asgi_response()  # type: ignore[arg-type]
            await out.end(b"event: error\ndata: %b\n\n" % problem.content)
        else:
            await out.end()

    async def _end_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._listener.end()


class _Out:
    """The body on its way to the client."""

    def __init__(self, send: Send, patience: float) -> None:
        self._send = send
        self._patience = patience

    async def begin(self, headers: Sequence[Header]) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.write(_GREETING)

    async def write(self, text: bytes) -> None:
        """Raises Stalled when what was written before is not read in time."""
        await self._body(text, self._patience, more=True)

    async def end(self, text: bytes = b"") -> None:
        """The last words. Raises Stalled."""
        await self._body(text, _FAREWELL, more=False)

    async def _body(self, text: bytes, patience: float, more: bool) -> None:
        message: Any = {"type": "http.response.body", "body": text, "more_body": more}
        try:
            async with asyncio.timeout(patience):
                await self._send(message)
        except TimeoutError:
            raise Stalled from None


def _event(state: State, listener: Listener) -> bytes:
    late = state.received < listener.joined
    return b"id: %b\ndata: %b\n\n" % (
        state.id.encode(),
        polled(state.served, late or state.served.cached, state.age_ms),
    )
