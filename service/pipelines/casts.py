"""Casts: a JSON value as the type that a column wants, or a reason why it cannot be.

A cast takes a value that is not null, and raises ValueError with the reason.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Literal, get_args

import msgspec

CastName = Literal["string", "int", "float", "bool", "date", "datetime", "time"]
CASTS: tuple[str, ...] = get_args(CastName)

Cast = Callable[[Any], Any]

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,38}\s*")
_TRUE = {"true", "t", "yes", "y", "on", "1"}
_FALSE = {"false", "f", "no", "n", "off", "0"}
_UNIX = {"unix": 1, "unix_ms": 1000}
"""Formats of times that are numbers, and how many of them are a second."""


def cast_of(name: CastName, form: str | None) -> Cast:
    """The cast of this name. `form` is how dates and times are written: strftime's codes, or for
    a datetime `unix` or `unix_ms`; without one ISO 8601.
    """
    if name in {"date", "datetime", "time"}:
        return _in_form(name, form) if form else _ISO[name]
    return _PLAIN[name]


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bool | dict | list):
        return msgspec.json.encode(value).decode()
    return str(value)


def _int(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise ValueError(f"{_shown(value)} is no whole number")


def _float(value: Any) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, int | float | str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise ValueError(f"{_shown(value)} is no number")


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, int | str) else ""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"{_shown(value)} is neither true nor false")


def _date(value: Any) -> date:
    """Of a date and time, the date that is written there."""
    return _datetime(value).date()


def _datetime(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    raise ValueError(f"{_shown(value)} is no ISO 8601 date or time; give a cast_format")


def _time(value: Any) -> time:
    if isinstance(value, str):
        try:
            return time.fromisoformat(value.strip())
        except ValueError:
            pass
    raise ValueError(f"{_shown(value)} is no ISO 8601 time of day; give a cast_format")


def _in_form(name: CastName, form: str) -> Cast:
    part = _PARTS[name]
    if (a_second := _UNIX.get(form)) is not None:
        return lambda value: part(_since_1970(value, a_second))
    return lambda value: part(_parsed(value, form))


def _parsed(value: Any, form: str) -> datetime:
    try:
        return datetime.strptime(str(value), form)  # noqa: DTZ007 - as it is written
    except ValueError:
        raise ValueError(f"{_shown(value)} is not written as {form!r}") from None


def _since_1970(value: Any, a_second: int) -> datetime:
    try:
        return datetime.fromtimestamp(_float(value) / a_second, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{_shown(value)} is no time since 1970") from None


def _shown(value: Any) -> str:
    """The value as a reason may show it: bounded."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:39]}…"


_PLAIN: dict[str, Cast] = {"string": _string, "int": _int, "float": _float, "bool": _bool}
_ISO: dict[str, Cast] = {"date": _date, "datetime": _datetime, "time": _time}
_PARTS: dict[str, Callable[[datetime], Any]] = {
    "date": datetime.date,
    "datetime": lambda moment: moment,
    "time": datetime.timetz,
}
