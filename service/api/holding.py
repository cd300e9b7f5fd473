"""A connection that an answer without an end goes out on: what waits for its reader is bounded."""

import asyncio
import socket
import sys
from collections.abc import Callable

_UNREAD = 64 * 1024
"""Bytes that the kernel keeps for a client that does not read."""
_UNHEARD = 30.0
"""Seconds without a word from the other machine, after which it is taken to be no more."""


def _nothing() -> None:
    """An answer with an end has nobody to tell."""


class Holding:
    """What the protocols of such connections have in common."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    ending: Callable[[], None] = staticmethod(_nothing)
    """To be called when the connection has to be left."""

    def hold(self, ending: Callable[[], None]) -> None:
        """An answer without an end begins."""
        self.ending = ending
        self.transport.set_write_buffer_limits(high=0)
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD)
        if sys.platform == "linux":
            patience = int(_UNHEARD * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)

    def cut(self, after: float = 0.0) -> None:
        """Close in so many seconds, whether the client has read everything or not."""
        self.loop.call_later(after, self.transport.abort)
