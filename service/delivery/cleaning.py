"""From a cell's text to the value that is sent: transforms first, then the rules."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email

from service.delivery.columns import Column, Kind

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][+-]?\d{1,2})?")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_BETWEEN_DIGITS = re.compile(r"[\s().\-/\u2010-\u2015\xa0]+")
_TRUE = frozenset({"true", "yes", "y", "1", "on"})
_FALSE = frozenset({"false", "no", "n", "0", "off"})

OMIT: Any = object()
"""The value of a cell that is not sent at all."""
_EMPTY = {"omit": OMIT, "null": None, "keep": ""}

Clean = Callable[[str], Any]
"""The value of a cell's text. Raises ValueError, which tells what is wrong but not the text."""


def cleaner(column: Column) -> Clean:
    """What makes values of a column's cells."""
    read, check, pattern = _READERS[column.type], _bounds(column), _pattern(column)
    nothing = _EMPTY[column.empty]

    def clean(text: str) -> Any:
        text = _transformed(column, text) or column.default or ""
        if not text:
            if column.required:
                raise ValueError("is required")
            return nothing
        if pattern is not None and not pattern.fullmatch(text):
            raise ValueError(f"does not match the pattern {column.pattern}")
        if column.choices and text not in column.choices:
            raise ValueError(f"is none of: {', '.join(column.choices)}")
        value = read(column, text)
        check(value)
        return value

    return clean


def plain(text: str) -> Any:
    """The value of a column without rules: its text without the blanks around it."""
    return text.strip() or OMIT


def _transformed(column: Column, text: str) -> str:
    if column.trim:
        text = text.strip()
    return getattr(text, column.case)() if column.case else text


def _pattern(column: Column) -> re.Pattern[str] | None:
    return re.compile(column.pattern) if column.pattern is not None else None


def _bounds(column: Column) -> Callable[[Any], None]:
    shortest, longest = column.min_length, column.max_length
    least, most = column.minimum, column.maximum

    def check(value: Any) -> None:
        if isinstance(value, str):
            if shortest is not None and len(value) < shortest:
                raise ValueError(f"is shorter than {shortest} characters")
            if longest is not None and len(value) > longest:
                raise ValueError(f"is longer than {longest} characters")
        elif least is not None and value < least:
            raise ValueError(f"is less than {least:g}")
        elif most is not None and value > most:
            raise ValueError(f"is more than {most:g}")

    return check


def _text(_: Column, text: str) -> str:
    return text


def _integer(_: Column, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("is no whole number")
    return int(text)


def _number(column: Column, text: str) -> float:
    if column.decimal == ",":
        text = text.replace(".", "").replace(",", ".")
    if not _NUMBER.fullmatch(text):
        raise ValueError("is no number")
    return float(text)


def _boolean(_: Column, text: str) -> bool:
    word = text.casefold()
    if word not in _TRUE | _FALSE:
        raise ValueError("is neither true nor false")
    return word in _TRUE


def _date(column: Column, text: str) -> str:
    return _moment(column, text, date.fromisoformat, "date").isoformat()[:10]


def _datetime(column: Column, text: str) -> str:
    return _moment(column, text, datetime.fromisoformat, "date and time").isoformat()


def _moment(column: Column, text: str, iso: Callable[[str], date], what: str) -> date:
    """Read as the first format that fits says; without formats as ISO 8601."""
    for form in column.date_formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 (a file says no zone)
        except ValueError:
            continue
    if not column.date_formats:
        try:
            return iso(text)
        except ValueError:
            pass
    expected = ", ".join(column.date_formats) or "ISO 8601"
    raise ValueError(f"is no {what} ({expected})")


def _email(_: Column, text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError("is no e-mail address") from None


def _phone(column: Column, text: str) -> str:
    """A number as E.164 has it: https://www.itu.int/rec/T-REC-E.164"""
    digits = _BETWEEN_DIGITS.sub("", text)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not digits.startswith("+"):
        if column.country_code is None:
            raise ValueError("has no country code, and the column no `country_code`")
        digits = column.country_code + digits.removeprefix("0")
    if not _E164.fullmatch(digits):
        raise ValueError("is no telephone number")
    return digits


_READERS: Mapping[Kind, Callable[[Column, str], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "email": _email,
    "phone": _phone,
}
