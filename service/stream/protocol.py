"""What ingest and the writer need of a stream: a log that acknowledges only what it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the log."""

    sequence: int
    id: str
    """The id it was published under (`Nats-Msg-Id`)."""
    time: int
    """When the stream took it, ms since 1970 UTC."""
    tenant: str
    body: bytes
    notes: Mapping[str, str] = field(default_factory=dict)
    """What was noted beside the body, by which it is followed (`service/trail.py`)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an acknowledged message stands in the log."""

    sequence: int
    duplicate: bool
    """True when the stream knew the message's id already and kept its first copy."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """What the log holds now, and by what it is recognised."""

    created: str
    first_sequence: int
    last_sequence: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be read, kept aside with the reason."""

    sequence: int
    origin: int
    """The position the message had in the events' stream."""
    tenant: str
    reason: str
    time: int
    body: bytes


class Stream(Protocol):
    """An append-only log with ids. Safe to call from many tasks at once."""

    connections: int
    """How often the broker was lost; after a change it may be another, or hold less."""

    async def publish(
        self,
        tenant: str,
        message_id: str,
        body: bytes,
        timeout: float,
        notes: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Append, with `notes` beside the body, and return when it is on disk.

        Retries the same id and body inside `timeout` seconds; raises IngestionUnavailable when
        the stream did not acknowledge: whether it kept the message is then unknown.
        """
        ...

    async def read(self, after: int, messages: int, wait: float) -> Sequence[Message]:
        """The next messages after sequence `after`, at most `messages`, in order.

        Leaves out nothing that the stream still holds. Waits up to `wait` seconds for the first.
        Raises ConnectionError when the broker is away.
        """
        ...

    async def message_id(self, sequence: int) -> str | None:
        """The id of the message at `sequence`; None when the stream no longer holds it."""
        ...

    async def state(self) -> StreamState: ...

    async def purge(self, before: int) -> None:
        """Forget all messages with a sequence lower than `before`."""
        ...

    async def put_dead_letter(self, tenant: str, origin: int, reason: str, body: bytes) -> None:
        """Keep a message aside; the same origin twice is kept once."""
        ...

    async def dead_letters(
        self, after: int, limit: int, tenant: str | None = None
    ) -> Sequence[DeadLetter]:
        """The oldest dead letters after sequence `after`, of one tenant or of all."""
        ...

    async def count_dead_letters(self) -> int:
        """How many there are."""
        ...

    async def discard_dead_letter(self, sequence: int) -> None:
        """Forget one; one that is gone already is as well."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
