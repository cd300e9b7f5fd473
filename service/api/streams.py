"""An answer without an end: what a listener is told goes out until one of the two sides ends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from litestar.types import Receive, Scope, Send

from service.api.answers import Answer, Header
from service.api.calls import Call
from service.api.outlets import Events, Messages, Outlet
from service.api.problems import answer_error
from service.api.served import polled
from service.query.listening import Listener, State
from service.telemetry import live_cut, live_pushed

CONNECTION = "headrace.connection"
"""Which of a scope's `extensions` is the connection (`service/api/wire.py`)."""

_Said = TypeVar("_Said")
_Told = TypeVar("_Told", covariant=True)

_FAREWELL = 1.0
"""Seconds that the last words may take."""


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


class Gone(Exception):
    """The client has hung up."""


class Heard(Protocol[_Told]):
    """Where what is told comes from."""

    def states(self, heartbeat: float) -> AsyncIterator[_Told | None]:
        """Each thing to tell; None after so many seconds without one. Raises why it is over."""
        ...

    def end(self) -> None:
        """There will be no more."""
        ...


class Stream(Answer, Generic[_Said]):
    """Tells what is heard, as events or as messages; `leave` is called when it is over.

    `heartbeat`: seconds after which something is sent though there is nothing new; `stall`:
    seconds that the client may read nothing.
    """

    goes_on = True

    def __init__(
        self,
        heard: Heard[_Said],
        tell: Callable[[Outlet, _Said], Awaitable[None]],
        leave: Callable[[], None],
        heartbeat: float,
        stall: float,
    ) -> None:
        super().__init__(200, b"")
        self._heard = heard
        self._say = tell
        self._leave = leave
        self._heartbeat = heartbeat
        self._stall = stall

    def plus(self, *headers: Header) -> "Stream[_Said]":
        self.answer_headers += headers
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions: Any = scope["extensions"]
        connection: Connection = extensions[CONNECTION]
        gone = asyncio.create_task(self._end_when_gone(receive))
        try:
            connection.hold(self._heard.end)
            await self._tell(_outlet(scope, send), Call(scope, receive))
            connection.cut(_FAREWELL)
        except Stalled:
            live_cut.inc()
            connection.cut()
            await gone  # the server takes an answer that just stops for a mistake
        except Gone:
            pass
        finally:
            gone.cancel()
            self._leave()

    async def _tell(self, outlet: Outlet, call: Any) -> None:
        await _in_time(outlet.begin(self.answer_headers), self._stall)
        try:
            async for state in self._heard.states(self._heartbeat):
                sending = self._say(outlet, state) if state is not None else outlet.beat()
                await _in_time(sending, self._stall)
        except (Stalled, Gone):
            raise
        except Exception as error:
            body = answer_error(call, error).to_asgi_response().content
            await _in_time(outlet.fail(error, body), _FAREWELL)
        else:
            await _in_time(outlet.end(), _FAREWELL)

    async def _end_when_gone(self, receive: Receive) -> None:
        while not (await receive())["type"].endswith(".disconnect"):
            pass
        self._heard.end()


def answers_to(listener: Listener) -> Callable[[Outlet, State], Awaitable[None]]:
    """Tells a listener the states of his question."""

    async def tell(outlet: Outlet, state: State) -> None:
        cached = state.served.cached or state.received < listener.joined
        await outlet.tell(state.id, polled(state.served, cached, state.age_ms))
        live_pushed.inc()

    return tell


def _outlet(scope: Any, send: Send) -> Outlet:
    return Messages(scope, send) if scope["type"] == "websocket" else Events(send)


async def _in_time(sending: Awaitable[None], seconds: float) -> None:
    """Raises Stalled when what was sent before is not read in time, and Gone."""
    try:
        async with asyncio.timeout(seconds):
            await sending
    except TimeoutError:
        raise Stalled from None
    except OSError as error:  # a WebSocket's; of an answer nobody hears that
        raise Gone from error
