"""A network between two processes that can go silent: the fault proxy in a thread of its own."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.proxy import Proxy, a_proxy


class Link:
    """A way to a port of this machine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: Proxy) -> None:
        self._loop = loop
        self._proxy = proxy
        self.port = proxy.port

    def go_silent(self, seconds: float) -> None:
        """Deliver nothing either way for so long, with connections open; then end them."""
        self._proxy.loses_requests = self._proxy.loses_answers = True
        time.sleep(seconds)
        self._loop.call_soon_threadsafe(self._proxy.heal)


@contextmanager
def a_link(port: int) -> Iterator[Link]:
    """In front of what listens on `port`."""
    made: list[Link] = []
    ready, ending = threading.Event(), threading.Event()

    async def serve() -> None:
        async with a_proxy(port) as proxy:
            made.append(Link(asyncio.get_running_loop(), proxy))
            ready.set()
            await asyncio.to_thread(ending.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield made[0]
    finally:
        ending.set()
        thread.join()
