"""A few named values on the broker, each moved by compare-and-set (a NATS key-value bucket).

Values are read from the leader, so that a replica that lags behind never answers.
"""

import asyncio
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from nats.aio.client import Client as Connection
from nats.aio.msg import Msg

from service.stream import subjects

HISTORY = 10
"""Values of a key that are kept, for people who look into what happened."""
WRONG_REVISION = 10071
NO_MESSAGE = 10037
STREAM_FULL = {10077, 10047, 10023}
"""JetStream's error codes for a stream or a disk that takes no more."""


class Moved(Exception):
    """The value has another revision than the one that was to be replaced."""


class ApiError(ConnectionError):
    """JetStream answers, but refuses; while it starts it refuses everything."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code


class Asking(Protocol):
    """A request to the broker and its answer; raises ConnectionError when none comes."""

    async def __call__(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None
    ) -> Msg: ...


Api = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Bucket:
    """One bucket, on a connection that it shares. Made by `JetStream.bucket`."""

    def __init__(
        self, name: str, connection: Connection, api: Api, ask: Asking, decode: Callable[[Msg], int]
    ) -> None:
        self._name = name
        self._nats = connection
        self._api = api
        self._ask = ask
        self._decode = decode
        self._moved = asyncio.Event()

    async def listen(self) -> None:
        """Hear of what others put."""
        await self._nats.subscribe(subjects.moved(self._name), cb=self._wake)

    async def get(self, key: str) -> tuple[bytes | None, int]:
        """The value and its revision; None and 0 when there is none."""
        asked = {"last_by_subj": subjects.value(self._name, key)}
        self._moved.clear()
        try:
            answer = await self._api(f"STREAM.MSG.GET.{subjects.bucket(self._name)}", asked)
        except ApiError as error:
            if error.code != NO_MESSAGE:
                raise
            return None, 0
        found = answer["message"]
        return b64decode(found.get("data", "")), found["seq"]

    async def put(self, key: str, value: bytes, revision: int) -> int:
        """Replace the value that has this revision; the new one's. Raises Moved.

        After a ConnectionError it is unknown whether the value was replaced.
        """
        headers = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        answer = await self._ask(subjects.value(self._name, key), value, headers)
        try:
            put = self._decode(answer)
        except ApiError as error:
            if error.code == WRONG_REVISION:
                raise Moved from error
            raise
        with suppress(Exception):  # a hint: whoever misses it looks a little later
            await self._nats.publish(subjects.moved(self._name), b"")
        return put

    async def keys(self, within: str) -> Sequence[str]:
        """The keys that there are below `within`, in their order."""
        asked = {"subjects_filter": subjects.value(self._name, f"{within}.>")}
        info = await self._api(f"STREAM.INFO.{subjects.bucket(self._name)}", asked)
        start = len(subjects.value(self._name, ""))
        return sorted(subject[start:] for subject in info["state"].get("subjects") or {})

    async def forget(self, key: str) -> None:
        """Take a key away with all its values."""
        asked = {"filter": subjects.value(self._name, key)}
        await self._api(f"STREAM.PURGE.{subjects.bucket(self._name)}", asked)

    async def wait(self, seconds: float) -> None:
        """Return when something was put since the last `get`, after `seconds` in any case."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), seconds)

    async def _wake(self, _: Msg) -> None:
        self._moved.set()
