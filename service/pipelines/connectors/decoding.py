"""What the bytes of a message mean, for sources whose brokers do not know it."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


def decoded(value: bytes | None) -> Mapping[str, Any]:
    """As an object: JSON, or else `value` with the JSON, the text, or base64."""
    try:
        found = None if value is None else _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = as_text(value or b"")
    return found if type(found) is dict else {"value": found}


def as_text(value: bytes) -> str:
    """The text, or else base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
