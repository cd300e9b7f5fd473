"""What a column of the CSV holds, and what is done to a cell before it is sent."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["text", "integer", "number", "boolean", "date", "datetime", "email", "phone"]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A column: the names it goes by in headers, its rules, its transforms."""

    aliases: list[str] = []
    required: bool = False
    """An empty cell makes the row invalid; a header without it, the file."""
    trim: bool = True
    case: Literal["upper", "lower", "title"] | None = None
    type: Kind = "text"
    date_formats: list[str] = []
    """As `strptime` reads them, the first that fits; ISO 8601 without any."""
    decimal: Literal[".", ","] = "."
    country_code: Annotated[str, Meta(pattern=r"^\+[1-9]\d{0,2}$")] | None = None
    """Of telephone numbers without one, such as `+49`."""
    pattern: str | None = None
    """A regular expression that the whole text matches."""
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: list[str] = []
    default: str | None = None
    """Stands in for an empty cell."""
    empty: Literal["omit", "null", "keep"] = "omit"
    """What an empty cell becomes: nothing at all, `null`, or an empty text."""

    def __post_init__(self) -> None:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern: not a regular expression: {error}") from None
