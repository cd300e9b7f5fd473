"""uvicorn's HTTP protocol, with the limits that it leaves out.

* The head of a request must be complete `head_seconds` after its first byte, or after the
  connection was made: 408, and the connection is closed.
* A head has at most `LARGEST_HEAD` bytes: 431.
* A body that goes on after its answer was given (413, 415) is thrown away for `linger_seconds`, so
  that the client comes to read the answer; then the connection is closed.
* The head of an answer leaves together with the first of its body: one system call, not two.
* What is not HTTP, Content-Length together with Transfer-Encoding included, is 400. After requests
  that still wait for their answers it is none: they are answered, and the connection is closed.
* So it is with more than `MOST_WAITING` requests that wait for the answers to those before them.
* A client that takes less than `LEAST_READ` bytes of its answers in `read_seconds` is cut off, and
  so is one that has not taken all when its connection has been idle.
* What stands around the body (chunk sizes, trailers) has at most `LARGEST_FRAMING` bytes: 431.
  Trailers are not kept.

Errors have the form of the face that the path belongs to, as far as it has come. Pass it as
`uvicorn.Config(http=HeadraceProtocol)`; a request for a WebSocket is handed over to
`HeadraceSocket` (`service/api/wire_socket.py`).
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.api.faces import refusal
from service.api.holding import Holding
from service.api.sockets import bare_subprotocols
from service.api.streams import CONNECTION
from service.errors import InvalidInput, RequestTimeout, TooLarge
from service.telemetry import log

LARGEST_HEAD = 32 * 1024
LARGEST_FRAMING = 4 * 1024 * 1024
"""A body of 16 MB in chunks of 25 bytes has as much."""
MOST_WAITING = 64
LEAST_READ = 16 * 1024

_ANSWER = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")
"""How a final answer begins; 100 Continue is none, and must leave at once."""


class _Whole:
    """A transport that holds an answer's head back until something follows it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.unwrapped = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self.unwrapped.write(head + data)
        elif data.startswith(_ANSWER) and data.endswith(b"\r\n\r\n"):
            self._head = data
        else:
            self.unwrapped.write(data)

    def flush(self) -> None:
        """Nothing follows: the answer to HEAD has no body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self.unwrapped.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unwrapped, name)


class _TooManyWaiting(Exception):
    """Stops the parser."""


class HeadraceProtocol(Holding, HttpToolsProtocol):
    """One connection."""

    head_seconds = 10.0
    linger_seconds = 10.0
    read_seconds = 30.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._target = b""
        self._head_bytes = 0
        self._framing_bytes = 0
        self._reading: asyncio.TimerHandle | None = None
        self._unread = 0
        self._deaf = False
        self._in_head = True
        self._in_body = False
        self._leaving = False

    def leave(self) -> None:
        """Tell the client with the next answer that this connection ends then."""
        self._leaving = True
        self.ending()
        if self.cycle and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        super().shutdown()
        self.ending()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, _Whole(transport))
        self._set_deadline(self.head_seconds, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_deadline()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; the deadline runs only while something is incomplete."""
        if self._deaf:
            return
        ends_late = len(data) > LARGEST_HEAD and data.find(b"\r\n\r\n", 0, LARGEST_HEAD) < 0
        if ends_late and not self._in_body:
            self._target = self._target or _target_in(data)
            self._head_is_large()
            return
        if self._in_body:
            self._framing_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self._deaf:
            self._drop_deadline()
        elif self._in_body:
            if self._framing_bytes > LARGEST_FRAMING:
                self._refuse(431, TooLarge.code, "the body's chunks or trailers take too much")
        elif self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._head_is_large()
            elif self._deadline is None:
                self._set_deadline(self.head_seconds, self._head_is_late)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._target = b""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: cast(Any, self)}

    def on_url(self, url: bytes) -> None:
        self._target += url
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MOST_WAITING:
            raise _TooManyWaiting
        self._in_head, self._in_body = False, True
        self._head_bytes = self._framing_bytes = 0
        self._drop_deadline()
        super().on_headers_complete()
        if self._leaving and self.cycle:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        self.transport = cast(_Whole, self.transport).unwrapped
        self.scope["headers"] = [
            (name, bare_subprotocols(value) if name == b"sec-websocket-protocol" else value)
            for name, value in self.scope["headers"]
        ]
        super().handle_websocket_upgrade()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._target = b""
        self._drop_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        cast(_Whole, self.transport).flush()
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._watch()
        answered_early = self._in_body and self.cycle.response_complete
        if answered_early and not self.transport.is_closing():
            self._set_deadline(self.linger_seconds, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        self._stop_watching()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self._cut_off()
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for bytes that are no HTTP request, or not one that is taken."""
        is_next = self.cycle is None or self._in_body or self.cycle.response_complete
        if is_next and not self.pipeline:
            self._refuse(400, InvalidInput.code, "this is not a valid HTTP request")
        else:  # an answer now would be taken for that to an earlier request
            self._deaf = True
            self.cycle.keep_alive = False

    def _watch(self) -> None:
        """Look whether the client goes on to read what waits for it."""
        self._stop_watching()
        self._unread = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(self.read_seconds, self._look_at_reader)

    def _look_at_reader(self) -> None:
        if self._unread - self.transport.get_write_buffer_size() < LEAST_READ:
            self._cut_off()
        else:
            self._watch()

    def _stop_watching(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _cut_off(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self.transport.abort()
        log().info("api.wire.cut_off", reason="its answers are not read", unread=unread)

    def _head_is_late(self) -> None:
        if not self.transport.is_closing():
            message = f"the request's head was not complete after {self.head_seconds:g} seconds"
            self._refuse(408, RequestTimeout.code, message)

    def _head_is_large(self) -> None:
        self._refuse(431, TooLarge.code, f"a request's head has at most {LARGEST_HEAD} bytes")

    def _refuse(self, status: int, code: str, message: str) -> None:
        path = self._target.partition(b"?")[0].decode("latin-1")
        content = refusal(path, status, code, message).content
        always = b"".join(b"%b: %b\r\n" % pair for pair in self.server_state.default_headers)
        self.transport.write(
            STATUS_LINE[status]
            + always
            + b"content-type: application/json\r\n"
            + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(content)
            + content
        )
        self.transport.close()
        log().info("api.wire.refused", status=status)

    def _set_deadline(self, seconds: float, then: Any) -> None:
        self._drop_deadline()
        self._deadline = self.loop.call_later(seconds, then)

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _target_in(head: bytes) -> bytes:
    """What the request line in these first bytes of a head asks for."""
    _, _, rest = head[: 2 * LARGEST_HEAD].partition(b" ")
    return rest.partition(b" ")[0]
