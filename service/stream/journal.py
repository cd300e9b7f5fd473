"""Logs beside the events': of a shape of their own, appended to by compare-and-set if asked.

A journal acknowledges what is on disk. Full, it takes no more (or forgets its oldest, where its
shape says so), and never loses what it holds otherwise.
"""

from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.aio.msg import Msg

from service.errors import TooLarge
from service.stream.bucket import (
    NO_MESSAGE,
    STREAM_FULL,
    WRONG_REVISION,
    Api,
    ApiError,
    Asking,
    Moved,
)

_REMEMBERS = 3600
"""Seconds in which the name of an entry is recognised."""


class JournalFull(Exception):
    """The journal, or its disk, takes no more now; nothing was kept."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a journal is kept."""

    name: str
    subject: str
    """What is appended has this subject, or one below it where it ends in `>`."""
    max_bytes: int
    each: int = -1
    """Entries of one subject that are kept, the newest; -1: all."""
    days: int = 0
    """After how many days an entry is forgotten; 0: never."""
    rolling: bool = False
    """Whether a full one forgets its oldest."""

    def config(self) -> dict[str, Any]:
        """As JetStream is told."""
        return {
            "name": self.name,
            "subjects": [self.subject],
            "max_bytes": self.max_bytes,
            "max_msgs_per_subject": self.each,
            "max_age": self.days * 86_400_000_000_000,
            "discard": "old" if self.rolling else "new",
            "duplicate_window": _REMEMBERS * 1_000_000_000,
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a journal."""

    sequence: int
    time: int
    """When it was kept, ms since 1970 UTC."""
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Extent:
    """What a journal holds now; `last` is 0 before anything was appended."""

    first: int
    last: int
    bytes: int
    entries: int


Read = Callable[[str, Mapping[str, Any]], Awaitable[list[Msg]]]


class Asked:
    """How the broker is asked; of the connection that the journal shares."""

    def __init__(
        self, api: Api, request: Asking, read: Read, sequence_of: Callable[[Msg], int]
    ) -> None:
        self.api = api
        self.request = request
        self.read = read
        self.sequence_of = sequence_of


class Journal:
    """One journal. Made by `JetStream.journal`. Everything raises ConnectionError when the broker
    does not answer; whether it did what it was asked is then unknown.
    """

    def __init__(self, shape: Shape, asked: Asked, largest: int) -> None:
        self.shape = shape
        self.largest = largest
        """Bytes of a body that the broker takes."""
        self._asked = asked

    async def append(
        self, body: bytes, subject: str = "", after: int | None = None, name: str = ""
    ) -> int:
        """Keep it and return its sequence. With `after` only if that is the sequence of the last
        entry of its subject (0: there is none), else Moved. What has the `name` of an entry that
        was kept in the last hour is not kept again.

        Raises JournalFull and TooLarge; nothing was kept then.
        """
        if len(body) > self.largest:
            raise TooLarge(f"an entry has at most {self.largest} bytes")
        headers = {"Nats-Msg-Id": name} if name else {}
        if after is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(after)
        answer = await self._asked.request(subject or self.shape.subject, body, headers or None)
        try:
            return self._asked.sequence_of(answer)
        except ApiError as error:
            if error.code == WRONG_REVISION:
                raise Moved from error
            if error.code in STREAM_FULL:
                raise JournalFull(str(error)) from error
            raise

    async def read(self, after: int, most: int, subject: str = "") -> Sequence[Entry]:
        """The oldest entries after that sequence, of those of `subject`, in their order."""
        asked = {"seq": after + 1, "batch": most, "next_by_subj": subject or self.shape.subject}
        return [_entry(one) for one in await self._asked.read(self.shape.name, asked)]

    async def since(self, time: int) -> Entry | None:
        """The first entry that was kept at this time (ms since 1970 UTC) or later."""
        moment = datetime.fromtimestamp(time / 1000, UTC).isoformat().replace("+00:00", "Z")
        asked = {"start_time": moment, "batch": 1, "next_by_subj": self.shape.subject}
        found = await self._asked.read(self.shape.name, asked)
        return _entry(found[0]) if found else None

    async def last(self, subject: str = "") -> Entry | None:
        """The newest entry, of the leader: nothing that was acknowledged is missed."""
        asked = {"last_by_subj": subject or self.shape.subject}
        try:
            found = (await self._asked.api(f"STREAM.MSG.GET.{self.shape.name}", asked))["message"]
        except ApiError as error:
            if error.code != NO_MESSAGE:
                raise
            return None
        body = b64decode(found.get("data", ""))
        return Entry(found["seq"], _milliseconds(found["time"]), found["subject"], body)

    async def extent(self) -> Extent:
        held = (await self._asked.api(f"STREAM.INFO.{self.shape.name}", {}))["state"]
        return Extent(held["first_seq"], held["last_seq"], held["bytes"], held["messages"])

    async def purge(self, before: int) -> None:
        """Forget what has a lower sequence."""
        await self._asked.api(f"STREAM.PURGE.{self.shape.name}", {"seq": before})

    async def discard(self, sequence: int) -> None:
        """Forget one entry; one that is not there is forgotten already."""
        with suppress(ApiError):
            await self._asked.api(f"STREAM.MSG.DELETE.{self.shape.name}", {"seq": sequence})

    async def delete(self) -> None:
        """Take the journal away with all that it holds."""
        with suppress(ApiError):
            await self._asked.api(f"STREAM.DELETE.{self.shape.name}", {})


def _entry(raw: Msg) -> Entry:
    headers = raw.headers or {}
    time = _milliseconds(headers["Nats-Time-Stamp"])
    return Entry(int(headers["Nats-Sequence"]), time, headers["Nats-Subject"], raw.data)


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
