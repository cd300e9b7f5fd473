"""What a caller says when he has a credential rotated, wherever that is."""

from dataclasses import replace
from typing import Any

import msgspec
from litestar import Request

from service.accounts.credentials import LONGEST_GRACE, USUAL_GRACE
from service.api.forms import read_form
from service.api.openapi import body_of, refusal


class Rotation(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """For how long the former one stays valid beside its successor."""

    grace_seconds: int = USUAL_GRACE


async def read_grace(request: Request[Any, Any, Any]) -> int:
    """For how many seconds; a day if nothing is said. Raises InvalidInput."""
    return (await read_form(request, Rotation, usual=Rotation())).grace_seconds


_SECONDS = {
    "type": "integer",
    "minimum": 0,
    "maximum": LONGEST_GRACE,
    "default": USUAL_GRACE,
}
_FORM = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"graceSeconds": _SECONDS},
}
ROTATION = replace(
    body_of("How long the former one stays valid.", json=(_FORM, {"graceSeconds": 3600})),
    required=False,
)
"""The body, as the document tells it."""
OVER = refusal(409, "It has expired, was revoked, or has a successor already.")
"""Why there is nothing to rotate or to change."""
