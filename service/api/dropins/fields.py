"""Fields of records that are taken as they come, looked at one by one."""

from collections.abc import Mapping
from typing import Any

from service.errors import InvalidInput
from service.events import MAX_ID_LENGTH, MAX_TYPE_LENGTH

Fields = Mapping[str, Any]


def object_in(fields: Fields, name: str) -> dict[str, Any]:
    """An object, or none at all. Raises InvalidInput."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"`{name}` must be an object", name)
    return value


def id_in(fields: Fields, *names: str) -> str:
    """The first of these that is there, a text or a number; empty for none. Raises InvalidInput."""
    for name in names:
        value = fields.get(name)
        if value is None or value == "":
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidInput(f"`{name}` must be a text", name)
        return _bounded(str(value), name, MAX_ID_LENGTH)
    return ""


def name_in(fields: Fields, name: str) -> str:
    """What an event is called. Raises InvalidInput."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"`{name}` must be a text of 1 to {MAX_TYPE_LENGTH} characters", name)
    return _bounded(value, name, MAX_TYPE_LENGTH)


def without(fields: Fields, *names: str) -> dict[str, Any]:
    """All other fields that say anything."""
    return {n: v for n, v in fields.items() if n not in names and v is not None}


def _bounded(text: str, name: str, longest: int) -> str:
    if len(text) > longest:
        raise InvalidInput(f"`{name}` may have at most {longest} characters", name)
    return text
