"""The HTTP server of a process: uvicorn with our protocol, on a socket that is open already."""

import asyncio
import contextlib
import gc
import resource
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from service.api.wire import HeadraceProtocol
from service.api.wire_socket import LARGEST_MESSAGE, HeadraceSocket
from service.errors import SettingsError
from service.telemetry import log
from service.tls import Certificate

GRACE = 10
"""Seconds that open requests have at the end."""
_SWITCH_INTERVAL = 0.001
_LOOK_AGAIN = 0.05
_HANDSHAKE_SECONDS = 10.0
"""For TLS to be agreed on; who takes longer is cut off."""
_ACCEPT_AGAIN = 0.5
"""Seconds after which more connections are taken when there was no room for one."""


class Server(uvicorn.Server):
    """Leaves the signals to others; says when it listens; can leave without failing a request."""

    def __init__(
        self,
        application: Any,
        shares: bool = False,
        certificate: Certificate | None = None,
        hsts_seconds: int = 0,
    ) -> None:
        """`shares`: other processes accept from the same socket, and shall have their part.

        With a `certificate` it speaks TLS alone.
        """
        super().__init__(configuration(application, hsts_seconds if certificate else 0))
        self._shares = shares
        self._certificate = certificate
        self._following: asyncio.Task[None] | None = None
        self.listens = asyncio.Event()
        self.linger = 0.0
        """Seconds that idle connections have at the end to ask once more and be told to close."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._certificate:
            self._following = asyncio.create_task(self._certificate.follow())
        if self._shares or self._certificate:
            context = self._certificate.context if self._certificate else None
            acceptors = [_Acceptor(each, self._protocol, context) for each in sockets or ()]
            self.servers = acceptors  # type: ignore[assignment]
            self.started = True
        else:
            await super().startup(sockets)
        self.listens.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, end those that are open, and answer what was asked on them."""
        for server in self.servers:
            server.close()
        if self._following:
            self._following.cancel()
        deadline = asyncio.get_running_loop().time() + self.linger
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            if not (connections := list(self.server_state.connections)):
                break
            for connection in connections:
                if isinstance(connection, (HeadraceProtocol, HeadraceSocket)):
                    connection.leave()
            await asyncio.sleep(min(_LOOK_AGAIN, left))
        await super().shutdown(sockets)

    def _protocol(self) -> HeadraceProtocol:
        return HeadraceProtocol(self.config, self.server_state, {})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Acceptor:
    """Takes connections from a socket that several processes share, one each time around.

    Event loops take all that wait at once: of a burst of connections one process would get all.
    """

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._make = make
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._listen()

    def close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._arriving, return_exceptions=True)

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was quicker, or the client has gone
        except OSError as error:
            log().error("server.not_accepted", reason=str(error))
            self._loop.remove_reader(self._listener)
            self._loop.call_later(_ACCEPT_AGAIN, self._listen)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        arriving = asyncio.create_task(self._arrive(connection))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)

    async def _arrive(self, connection: socket.socket) -> None:
        """A client that does not come through the handshake has gone; nobody else cares."""
        with contextlib.suppress(OSError, TimeoutError):
            await self._loop.connect_accepted_socket(
                self._make,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
            )


def configuration(application: Any, hsts_seconds: int = 0) -> uvicorn.Config:
    """How uvicorn is to serve. What it is told to send goes with every answer, at no cost."""
    always = [("x-content-type-options", "nosniff")]
    if hsts_seconds:
        always.append(("strict-transport-security", f"max-age={hsts_seconds}"))
    return uvicorn.Config(
        application,
        http=HeadraceProtocol,
        ws=HeadraceSocket,
        ws_per_message_deflate=False,
        ws_max_size=LARGEST_MESSAGE,
        lifespan="off",
        log_config=None,
        log_level="error",  # what it warns of, we log ourselves
        access_log=False,
        headers=always,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
    )


@contextmanager
def listening(host: str, port: int, variables: str) -> Iterator[socket.socket]:
    """A listening socket, taken before anything else so that a taken port is told at once.

    Raises SettingsError, naming the settings to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; set {variables}"
        ) from error
    with listener:
        yield listener


def url_of(host: str, port: int, tls: bool = False) -> str:
    """Where this machine reaches what listens there."""
    there = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104
    return f"{'https' if tls else 'http'}://{there}:{port}"


@contextmanager
def tuned_interpreter() -> Iterator[None]:
    """Let threads take turns often, and look for cycles rarely.

    A thread that comes back from the engine waits up to a switch interval for the interpreter, a
    dozen times a question; at the usual 5 ms that is most of the answer's time under load. And at
    the usual thresholds a third of the time of decoding batches goes into looking for cycles.
    """
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()  # DuckDB's binding takes what stays frozen for a leak, and says so at length


def allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: each connection is a file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
