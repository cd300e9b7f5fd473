"""What the service answers, typed. Fields that a newer service adds are ignored."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

Data = TypeVar("Data")


class Answer(msgspec.Struct, Generic[Data], frozen=True):
    """The envelope of every good answer."""

    data: Data


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, as the service says it."""

    code: str = ""
    message: str = ""
    details: Any = None


class Refusal(msgspec.Struct, frozen=True):
    """The envelope of every error."""

    error: Problem


class Rejection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event that was not taken. `index` is its place in what was sent."""

    index: int
    event_id: str | None = None
    code: str = ""
    field: str | None = None
    message: str = ""


class BatchVerdict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the service says about one batch."""

    accepted: int
    duplicates: int
    event_ids: list[str | None] = []
    rejected: list[Rejection] = []
    receipt: str | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the events of one `send`, in their order over all its batches."""

    accepted: int = 0
    """Taken as new, on the stream's disk."""
    duplicates: int = 0
    """Known already; the service counts them once."""
    event_ids: list[str | None] = []
    rejected: list[Rejection] = []
    receipts: list[str] = []
    """One for each batch of which something was taken."""
    tries: int = 0
    """Requests made, more than batches when some had to be repeated."""


def joined(parts: Iterable[Sent]) -> Sent:
    """The answers about consecutive batches as one."""
    whole = list(parts)
    return Sent(
        accepted=sum(s.accepted for s in whole),
        duplicates=sum(s.duplicates for s in whole),
        event_ids=[i for s in whole for i in s.event_ids],
        rejected=[r for s in whole for r in s.rejected],
        receipts=[r for s in whole for r in s.receipts],
        tries=sum(s.tries for s in whole),
    )


class Receipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far the events behind a receipt have come: `queued`, `stored` or `queryable`."""

    state: str
    accepted: int = 0
    """Events that went onto the stream under this receipt."""
    stored: int = 0
    """Those among them that the store keeps; the rest were repeats of earlier ones."""


class Stats(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How fast events come in (a second, over the last minute) and how many there are."""

    ingestion_rate: float
    total_ingested: int
    timestamp: datetime


class TypeCount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Events of one type; `percentage` of all that the question asked about."""

    event_type: str
    count: int
    percentage: float


class UserCount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of the busiest users; `event_types` by that user's count."""

    user_id: str
    event_count: int
    last_event_at: datetime
    event_types: list[str]


class Bucket(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Events from `timestamp` to the next bucket's."""

    timestamp: datetime
    count: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The metrics document."""

    total_events: int
    events_by_type: list[TypeCount]
    top_users: list[UserCount]
    events_over_time: list[Bucket]
    avg_events_per_user: float
    unique_users: int
    unique_sessions: int
    as_of: datetime | None = None
    cached: bool = False


class NumberRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A numeric payload field over the events of one key; `key` is None without `by`."""

    key: str | None = None
    count: int
    sum: float
    avg: float | None
    min: float | None
    max: float | None


class Numbers(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A numeric payload field, summed up."""

    rows: list[NumberRow]


class Customer(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """A customer as last told; `profile` is None where only attributes are known."""

    user_id: str
    profile: dict[str, Any] | None = None
    attributes: dict[str, dict[str, Any]] = {}
    as_of: datetime
    received_at: datetime


class CustomersPage(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """Some customers by id; `next_cursor` leads to the next ones."""

    customers: list[Customer]
    next_cursor: str | None = None


class Version(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """One thing told of a customer; `part` is empty for the profile, else the name of a list."""

    part: str
    document: dict[str, Any]
    as_of: datetime
    received_at: datetime


class Versions(msgspec.Struct, frozen=True):
    """All that was told of a customer."""

    versions: list[Version]


class Erasure(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """How far the erasure of a user is: `asked`, then `erased`; what was deleted."""

    id: str
    state: str
    asked_at: datetime
    erased_at: datetime | None = None
    events: int = 0
    versions: int = 0


class Column(msgspec.Struct, frozen=True):
    """A column of a table; `type` is text, whole, number, truth, time or any."""

    name: str
    type: str


class Table(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """The rows of a SELECT; `truncated` if there are more than were asked for."""

    columns: list[Column]
    rows: list[list[Any]]
    truncated: bool = False
    as_of: datetime | None = None


class Realtime(msgspec.Struct, kw_only=True, frozen=True):
    """Numbers of a window that slides to now, by their names."""

    timestamp: datetime
    window: str
    data: dict[str, int | float | None]
    as_of: datetime | None = None
