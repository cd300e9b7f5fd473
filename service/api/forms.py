"""Small bodies, JSON or an HTML form, as a struct; what is wrong is told with its field."""

import re
import time
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from service.api.answers import headers_of
from service.api.bodies import JSON, content_type, read_body
from service.errors import InvalidInput
from service.events import milliseconds

FIELDS = b"application/x-www-form-urlencoded"

LARGEST_FORM = 16 * 1024
"""Bytes of a form."""
_SECONDS = 10.0
_PLACE = re.compile(r" - at `\$\.?(?P<field>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]+)`")

_Form = TypeVar("_Form", bound=msgspec.Struct)


async def read_form(
    request: Request[Any, Any, Any],
    kind: type[_Form],
    largest: int = LARGEST_FORM,
    usual: _Form | None = None,
) -> _Form:
    """The JSON body as a `kind`; for an empty one `usual`, where there is one.

    Raises InvalidInput, and what `read_body` raises.
    """
    headers = headers_of(request.scope)
    content_type(headers, JSON)
    body = await read_body(headers, request.receive, largest, _SECONDS)
    if not body and usual is not None:
        return usual
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("the body is not valid JSON") from None


async def read_fields(request: Request[Any, Any, Any], kind: type[_Form]) -> _Form:
    """The body of an HTML form as a `kind`. Raises InvalidInput, and what `read_body` raises."""
    headers = headers_of(request.scope)
    content_type(headers, FIELDS)
    body = await read_body(headers, request.receive, LARGEST_FORM, _SECONDS)
    try:
        fields = parse_qsl(body.decode(), True, errors="strict", max_num_fields=50)
        return msgspec.convert(dict(fields), kind)
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from None
    except ValueError:
        raise InvalidInput("the body is no form in UTF-8, or has too many fields") from None


def expiry_of(moment: datetime | None) -> int | None:
    """The `expiresAt` of a form in ms since 1970 UTC. Raises InvalidInput for one gone by."""
    if moment is None:
        return None
    if (at := milliseconds(moment)) <= time.time() * 1000:
        raise InvalidInput("`expiresAt` has gone by", "expiresAt")
    return at


def said_in(form: msgspec.Struct) -> dict[str, Any]:
    """The fields of a form that were said, by their Python names."""
    fields = msgspec.structs.asdict(form)
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


def _wrong(text: str) -> InvalidInput:
    for pattern in (_MISSING, _UNKNOWN, _PLACE):
        if found := pattern.search(text):
            field = re.split(r"[.\[]", found["field"])[0]
            return InvalidInput(_PLACE.sub("", text), field or None)
    return InvalidInput(text)
