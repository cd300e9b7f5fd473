"""A question: a query document that was read, in a form that is the same for all who ask it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

import msgspec

from service.errors import InvalidInput
from service.query.language.fields import Field
from service.query.language.metrics import Metric
from service.query.language.words import Filter
from service.query.parameters import EARLIEST, LATEST, Range

TIME = "time"


@dataclass(frozen=True, slots=True)
class Order:
    """By which metric or group, by its number; the most first if `down`."""

    kind: str
    number: int
    down: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for, read and checked."""

    document: bytes
    """The query as JSON, without its cursor, in the order of the grammar."""
    metrics: tuple[Metric, ...]
    dimensions: tuple[str, ...]
    groups: tuple[Field, ...]
    """The dimensions but time: each combination of their values is a group."""
    filters: tuple[Filter, ...]
    range: Range
    compare: Range | None
    interval: int
    """Length of the buckets in ms; 0 if time is no dimension."""
    zone: str
    order: tuple[Order, ...]
    backwards: bool
    """Whether the latest bucket comes first."""
    limit: int
    offset: int
    totals: bool
    other: bool

    def canonical(self) -> tuple[object, ...]:
        """What the answer depends on, besides the events."""
        return self.document.decode(), *self.range.canonical(), self.offset


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins, in the range of the first one."""

    start: int
    end: int
    offset: int

    def sealed(self, document: bytes) -> str:
        """As callers see it; it fits the document that it was made for."""
        fields = (_digest(document), self.start, self.end, self.offset)
        return urlsafe_b64encode(msgspec.msgpack.encode(fields)).decode().rstrip("=")


def opened(text: str, document: bytes) -> Cursor:
    """The cursor that was sealed. Raises InvalidInput for any other text or document."""
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        digest, start, end, offset = msgspec.msgpack.decode(packed, type=_Sealed)
    except (ValueError, msgspec.MsgspecError):
        start, end = 0, 0
    if not EARLIEST <= start < end <= LATEST:
        raise InvalidInput("`cursor` is not one that an answer gave", "cursor")
    if digest != _digest(document):
        raise InvalidInput(
            "`cursor` belongs to another query: nothing else may change from page to page", "cursor"
        )
    return Cursor(start, end, offset)


_Sealed = tuple[bytes, int, int, Annotated[int, msgspec.Meta(ge=0, lt=2**32)]]


def _digest(document: bytes) -> bytes:
    return blake2b(document, digest_size=8).digest()
