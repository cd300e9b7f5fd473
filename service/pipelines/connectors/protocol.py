"""What a pipeline needs of a connector: a source that reads, a target that writes.

Both may be asked again for what they gave or took already: after a crash, after a timeout, by
another worker. Neither is called by two tasks at once. What hangs is ended by a timeout.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from service.erased import Reach
from service.ingest import Ingest
from service.pipelines.model import Cursor, Outgoing, Place, Refused, SourceMessage, Taken
from service.stream.protocol import Stream


class Source(Protocol):
    """One opened source of one pipeline. The pipeline keeps its cursor, not the other system."""

    async def read(self, after: Cursor | None, most: int, wait: float) -> Taken:
        """The next messages after the cursor, at most `most`; None for `after` is the beginning.

        Waits up to `wait` seconds for the first. `after` is most often the cursor that was given
        last, but may be any earlier one: then it goes back. The same `after` gives the same
        messages again (perhaps more, or fewer). No messages and another cursor is an answer too.

        Raises SourceUnavailable when it may work later, ConnectorBroken when it will not.
        """
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class Target(Protocol):
    """One opened target of one subscription."""

    async def written(self) -> Place | None:
        """The last place of this subscription that the target itself knows that it holds, with all
        before it; None when it cannot know, or holds none.
        """
        ...

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        """Take the records in their order; all are kept when it returns, but the refused ones.

        Raises TargetUnavailable when it is unknown whether they were kept (the same batch, or one
        that begins with it, comes again; after a TargetBusy, to the same opened target),
        ConnectorBroken when no try will help.
        """
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connector may use of the service, and for whom it works."""

    tenant: str
    pipeline_id: str = ""
    subscription_id: str = ""
    """Empty for a source, and while credentials are only checked."""
    turned: int = 0
    """How often an operator had the subscription begin elsewhere: with another number a target has
    `written` nothing of it yet, for the same records shall come again."""
    table: str = ""
    """The table or topic that a target writes to, as its subscription names it."""
    allow_private: bool = False
    """Whether hosts in private networks may be reached (`HEADRACE_ALLOW_PRIVATE_TARGETS`)."""
    patience: float = 30.0
    """Seconds that another system may take for what it is asked at once."""
    files: Path | None = None
    """The folder whose files the environment's connectors may read; None where there is none."""
    ingest: Ingest | None = None
    """The way into the event store; None where a process has none."""
    erasures: Callable[[], Awaitable[Sequence[Reach]]] | None = None
    """Who was erased, and how far; None where nobody is."""
    events: Stream | None = None
    """The stream of ingested events; None where a process has none."""

    @property
    def places_of(self) -> str:
        """The name under which a target notes its places: another one after each turn."""
        return f"{self.subscription_id}.{self.turned}"


OpenSource = Callable[[Any, Surroundings], Awaitable[Source]]
OpenTarget = Callable[[Any, Surroundings], Awaitable[Target]]
Check = Callable[[Any, Surroundings], Awaitable[None]]
Topics = Callable[[Any, Surroundings], Awaitable[Sequence[str]]]
Together = Callable[[Any], int]
Fetch = Callable[[Any, Surroundings, str, int], Awaitable[Sequence[SourceMessage]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of connectors: what it is called, what it is told, how it is opened."""

    name: str
    direction: Literal["source", "target"]
    config: type[msgspec.Struct]
    about: str
    secrets: frozenset[str] = frozenset()
    """Fields of the configuration that are sealed at rest and never told."""
    open_source: OpenSource | None = None
    """None for a target, and for a source whose records are pushed to us."""
    open_target: OpenTarget | None = None
    check: Check | None = None
    """Really connects; raises SourceUnavailable, TargetUnavailable or ConnectorBroken."""
    topics: Topics | None = None
    """The names of what can be read or written there."""
    fetch: Fetch | None = None
    """The newest messages of a topic, at most so many."""
    together: Together = lambda _: 1
    """How many messages in a row a target is given in one piece: writings are cut at the borders
    of their blocks alone (`block_of`)."""


def block_of(place: Place, together: int) -> tuple[int, int]:
    """Which block a record belongs to: the same one whenever it comes."""
    return place.sequence, place.message // together
