"""The client for scripts, which have no event loop: it runs on a thread of its own."""

import asyncio
import atexit
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar

from service.client.answers import Sent
from service.client.batches import Outgoing
from service.client.client import Client
from service.client.connection import ClientOptions
from service.client.credentials import Credential
from service.client.producer import Producer, ProducerOptions, Tally

T = TypeVar("T")


class BlockingClient:
    """A client and its producer, called from any thread; each call waits for its answer.

    What was put is sent at the latest when the process ends in good order. Close it, or use it as
    a context manager, to be told if that fails.
    """

    def __init__(
        self,
        base_url: str,
        credential: str | Credential | None = None,
        options: ClientOptions | None = None,
        producer: ProducerOptions | None = None,
    ) -> None:
        self._client = Client(base_url, credential, options)
        self._producer = Producer(self._client, producer)
        self._open = AsyncExitStack()
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._run(self._begin())
        except BaseException:
            self._end_thread()
            raise
        atexit.register(self.close)

    def __repr__(self) -> str:
        return f"BlockingClient({self._producer!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, *events: Outgoing) -> int:
        """Give events to the producer; how many were taken, which is all unless it drops some."""
        return self._run(self._put(events))

    def flush(self) -> Tally:
        """Return when the service has answered for every event put so far."""
        return self._run(self._producer.flush())

    def send(self, events: Sequence[Outgoing], idempotency_key: str | None = None) -> Sent:
        """Send events now, beside the producer, and tell what became of each."""
        return self._run(self._client.send(events, idempotency_key))

    def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """What the client answers: `client.ask(lambda c: c.metrics(Question(time_range="1h")))`."""
        return self._run(_awaited(question(self._client)))

    def close(self) -> None:
        """Flush and end. Raises Undelivered, or what the service refused for good."""
        if self._thread.is_alive():
            atexit.unregister(self.close)
            try:
                self._run(self._open.aclose())
            finally:
                self._end_thread()

    async def _begin(self) -> None:
        await self._open.enter_async_context(self._client)
        await self._open.enter_async_context(self._producer)

    async def _put(self, events: Sequence[Outgoing]) -> int:
        return sum([await self._producer.put(event) for event in events])

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        if not self._thread.is_alive():
            doing.close()
            raise RuntimeError("this client is closed")
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Loop(asyncio.SelectorEventLoop):
    """Does itself what other loops give to threads: when a process ends, there are no new ones."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


async def _awaited(doing: Awaitable[T]) -> T:
    return await doing
