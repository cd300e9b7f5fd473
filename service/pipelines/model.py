"""The words of pipelines: what a source gives, what a target is given, what is to be run.

source -> Taken -> bus -> mapper -> Outgoing -> target
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

import msgspec

from service.pipelines.mapper import Column

Cursor = Mapping[str, Any]
"""Where a source goes on: an object of JSON that the source alone understands."""

State = Literal["draft", "building", "live", "paused", "error"]
"""draft and paused: not run; building: being opened; live: moving; error: ended, with a reason."""


class SourceMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record of a source, decoded."""

    value: Mapping[str, Any]
    key: bytes | None = None
    """Records of one key keep their order."""
    time: int | None = None
    """When it happened, ms since 1970 UTC, where the source says so."""
    metadata: Mapping[str, Any] = {}
    """What else the source knows: topic, partition, offset, headers, row number..."""


class Taken(msgspec.Struct, frozen=True):
    """Messages of a source in their order, and the cursor after the last of them."""

    messages: Sequence[SourceMessage]
    cursor: Cursor


class Place(NamedTuple):
    """Which record of a pipeline: they are ordered, and given to a target in this order."""

    sequence: int
    """Of the message on the bus; from 1."""
    message: int
    """Of the source's message inside it; from 0."""
    part: int = 0
    """Of the record, where the mapper made several out of one message."""

    @property
    def text(self) -> str:
        """For a header or a column: `sequence.message.part`."""
        return f"{self.sequence}.{self.message}.{self.part}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The place that `text` names. Raises ValueError."""
        sequence, message, part = map(int, text.split("."))
        return cls(sequence, message, part)


class Outgoing(NamedTuple):
    """One mapped record on its way to a target."""

    place: Place
    record: Mapping[str, Any]
    primary_key: Sequence[str] = ()
    """The keys of `record` that make it the same record when it comes again."""
    time: int = 0
    """When it happened, or else when the bus took it; ms since 1970 UTC, the same at each try."""
    key: bytes | None = None
    """The key of the source's message."""


class Refused(NamedTuple):
    """A record that its target will never take, and why."""

    place: Place
    reason: str


class ConnectorConfig(msgspec.Struct, frozen=True):
    """A connector with its secrets opened: never logged, never told."""

    type: str
    settings: Mapping[str, Any]


class SubscriptionConfig(msgspec.Struct, frozen=True):
    """One way out of a pipeline."""

    id: str
    columns: Sequence[Column]
    target: ConnectorConfig
    table: str = ""
    """The table or topic of the target that the records go to; empty where there is but one."""
    error_target: ConnectorConfig | None = None
    """Where refused records go besides the dead letters."""
    error_table: str = ""
    """The table or topic of the error target."""
    backfill: bool = False
    """Begin at the first record that the bus holds, not at the next one."""
    since: int | None = None
    """Begin at the first record that the bus took at this time or later (ms since 1970 UTC)."""
    transforms: Sequence[Mapping[str, Any]] = ()
    """What is done to a message before its columns are drawn; see `transforms`."""


class Assignment(msgspec.Struct, frozen=True):
    """A pipeline that is to be run, in one version of its configuration."""

    pipeline_id: str
    version: int
    tenant: str
    source: ConnectorConfig
    subscriptions: Sequence[SubscriptionConfig]
