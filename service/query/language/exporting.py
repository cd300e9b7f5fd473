"""Which events are to be had as they are: from a document or parameters to a page's statement.

Events come in the order of their times, those of one time in the order in which they were stored. A
cursor names the last event that somebody has, and what he asked: the range as it was when he began,
and how far the store was then. So what he gets in several parts is what he would have got in one.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

from service.errors import InvalidInput
from service.query.language import words
from service.query.language.conditions import Terms, fields_of
from service.query.language.decoding import Grammar
from service.query.language.fields import Path
from service.query.language.filters import check_filters
from service.query.language.spans import range_of
from service.query.language.words import Filter, Span
from service.query.parameters import EARLIEST, LATEST, Range, moment_in
from service.storage.protocol import Statement

PARAMETERS = ("range", "start", "end", "eventType", "userId", "source", "limit", "cursor")
"""What may be asked for without a document."""
FIRST, LAST = 1, 2**53


class Export(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which events are wanted."""

    filters: tuple[Filter, ...] = ()
    range: str | Span = "24h"
    limit: Annotated[int, Meta(ge=FIRST, le=LAST)] | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands among those of its tenant."""

    timestamp: int
    position: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The events that are asked for. None that is stored after the position `until` is among them;
    those up to the place `after` were had before."""

    document: bytes
    """What was asked, as JSON, whatever part of it this is."""
    filters: tuple[Filter, ...]
    range: Range
    limit: int | None
    until: int | None = None
    after: Place | None = None

    def cursors(self, until: int) -> str:
        """What the cursors of its events begin with; the event's own place follows."""
        packed = msgspec.msgpack.encode((_digest(self.document), *self._edges, until))
        return urlsafe_b64encode(packed).decode().rstrip("=")

    @property
    def _edges(self) -> tuple[int, int]:
        return self.range.start, self.range.end


_GRAMMAR = Grammar(Export)
_encode = msgspec.json.Encoder().encode
_open = msgspec.msgpack.Decoder(tuple[bytes, int, int, Annotated[int, Meta(ge=0, lt=2**62)]]).decode


def read_export(body: bytes, now_ms: int) -> Wanted:
    """The events that a document asks for. Raises InvalidInput."""
    export = _GRAMMAR.read(body)
    check_filters(export.filters)
    return _wanted(export, range_of(export.range, "range", now_ms))


def parse_export(raw: Mapping[str, str], now_ms: int) -> Wanted:
    """The events that parameters ask for. Raises InvalidInput."""
    if unknown := sorted(set(raw) - set(PARAMETERS)):
        there = f"there are after, format, {', '.join(PARAMETERS)}"
        raise InvalidInput(f"`{unknown[0]}` is not a parameter here; {there}", unknown[0])
    export = Export(
        filters=_filters(raw),
        range=Span(raw.get("start", ""), raw.get("end", ""))
        if "start" in raw or "end" in raw
        else raw.get("range", "24h"),
        limit=_limit(raw),
        cursor=raw.get("cursor"),
    )
    return _wanted(export, _range(raw, export.range, now_ms))


def page_of_events(
    tenant: str, wanted: Wanted, stretch: Range, after: Place | None, until: int, most: int
) -> Statement:
    """The next events of a stretch after a place, at most so many."""
    fields = (field for found in wanted.filters for field in fields_of(found))
    paths = list(dict.fromkeys(field for field in fields if isinstance(field, Path)))
    terms = Terms(paths)
    filters = [Statement("filters.stored", {"until": until}), *terms.conditions(wanted.filters)]
    if after:
        place = {name: getattr(after, name) for name in Place.__slots__}
        filters.append(Statement("filters.beyond", place))
    facts = Statement(
        terms.facts,
        {"start": stretch.start, "end": stretch.end},
        {"columns": [Statement("fields.event")], "filters": filters, "jsons": terms.jsons()},
    )
    return Statement("frames.events", {"tenant": tenant, "limit": most}, {"facts": [facts]})


def _wanted(export: Export, time: Range) -> Wanted:
    document = _encode(msgspec.structs.replace(export, cursor=None, limit=None))
    begun = Wanted(document, export.filters, time, export.limit)
    return begun if export.cursor is None else _continued(begun, export.cursor)


def _continued(begun: Wanted, cursor: str) -> Wanted:
    """What is left after an event that was had. Raises InvalidInput for no cursor of this."""
    head, *place = cursor.split(".")
    try:
        packed = urlsafe_b64decode(head + "=" * (-len(head) % 4))
        digest, start, end, until = _open(packed)
        timestamp, position, ordinal = map(int, place)
    except (ValueError, msgspec.MsgspecError):
        raise _no_cursor() from None
    if not (EARLIEST <= start <= timestamp < end <= LATEST and 0 <= position <= until):
        raise _no_cursor()
    if digest != _digest(begun.document) or not 0 <= ordinal < 2**32:
        raise InvalidInput("`cursor` belongs to another export: nothing else may change", "cursor")
    after = Place(timestamp, position, ordinal)
    return Wanted(begun.document, begun.filters, Range(start, end), begun.limit, until, after)


def _no_cursor() -> InvalidInput:
    return InvalidInput("`cursor` is not one that an export gave", "cursor")


def _digest(document: bytes) -> bytes:
    return blake2b(document, digest_size=6).digest()


def _filters(raw: Mapping[str, str]) -> tuple[Filter, ...]:
    for name in ("eventType", "userId", "source"):
        if name in raw and not 1 <= len(raw[name]) <= words.LONGEST_VALUE:
            longest = words.LONGEST_VALUE
            raise InvalidInput(f"`{name}` must have 1 to {longest} characters", name)
    exact = [words.Is(name, raw[name]) for name in ("eventType", "source") if name in raw]
    part = [words.Contains("userId", raw["userId"])] if "userId" in raw else []
    return (*exact, *part)


def _range(raw: Mapping[str, str], found: str | Span, now_ms: int) -> Range:
    if isinstance(found, str):
        return range_of(found, "range", now_ms)
    for name in ("start", "end"):
        if name not in raw:
            raise InvalidInput(f"`{name}` is missing: `start` and `end` go together", name)
    if "range" in raw:
        raise InvalidInput("`range` says what `start` and `end` say: send one of them", "range")
    time = Range(moment_in(found.start, "start"), moment_in(found.end, "end"))
    if time.start >= time.end:
        raise InvalidInput("`start` must be before `end`", "start")
    return time


def _limit(raw: Mapping[str, str]) -> int | None:
    text = raw.get("limit")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and FIRST <= int(text[:20]) <= LAST):
        raise InvalidInput(f"`limit` must be a whole number from {FIRST} to {LAST}", "limit")
    return int(text)
