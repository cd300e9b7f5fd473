"""The fields of an event that can be asked about, by the names that callers know."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import msgspec

from service.errors import InvalidInput

TEXTS = {
    "eventType": "event_type",
    "userId": "user_id",
    "sessionId": "session_id",
    "eventId": "event_id",
    "source": "source",
}
"""Columns that hold a text: their names, and those of their pieces."""
NUMBERS = {"priority": "priority"}
CUSTOMER = "customer"
"""What the event's user was last told of, his profile: not of the event, but beside it."""
DOCUMENTS = ("payload", "metadata", CUSTOMER)

_LONGEST = 500
_DEEPEST = 10
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+')
_PATH = re.compile(rf"(?:{_KEY.pattern})(?:\.(?:{_KEY.pattern}))*")
_FIELDS = [*TEXTS, *NUMBERS, *(f"{document}.…" for document in DOCUMENTS)]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that holds a text; where there is nothing it is empty."""

    piece: str


@dataclass(frozen=True, slots=True)
class Number:
    """A column that holds a number."""

    piece: str


@dataclass(frozen=True, slots=True)
class Path:
    """A value in one of the documents, by its keys from the outside in."""

    document: str
    keys: tuple[str, ...]


Field = Column | Number | Path


def field_named(name: str, place: str) -> Field:
    """The field of that name. Raises InvalidInput, which names the place in the document."""
    found = _field(name)
    if found is None:
        raise InvalidInput(
            f"`{place}`: there is no field {shown(name)}{meant(name, [*TEXTS, *NUMBERS])}; "
            f"there are {', '.join(_FIELDS)}",
            place,
        )
    return found


@lru_cache(1000)
def _field(name: str) -> Field | None:
    if name in TEXTS:
        return Column(TEXTS[name])
    if name in NUMBERS:
        return Number(NUMBERS[name])
    document, _, path = name.partition(".")
    if document not in DOCUMENTS or len(name) > _LONGEST or not _PATH.fullmatch(path):
        return None
    keys = _KEY.findall(path)
    if len(keys) > _DEEPEST:
        return None
    try:
        return Path(document, tuple(map(_key, keys)))
    except msgspec.DecodeError:
        return None


def _key(text: str) -> str:
    return msgspec.json.decode(text, type=str) if text.startswith('"') else text


def shown(text: str) -> str:
    """What a caller wrote, short enough to be said back."""
    return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"


def meant(text: str, allowed: Collection[str]) -> str:
    """`; did you mean …?` if something allowed is near."""
    near = get_close_matches(text, allowed, n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""
