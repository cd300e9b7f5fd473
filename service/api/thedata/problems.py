"""Every error as the thedata face says it, once.

{"code": "validation_error", "message": "Invalid data",
 "details": {"field": "timestamp", "error": "…"}}
"""

from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from service.api.answers import Answer, Header, json_answer
from service.api.bodies import ClientGone
from service.api.problems import (
    INCIDENT,
    Problem,
    code_of_framework,
    extra_headers,
    note_incident,
    status_of,
)
from service.errors import HeadraceError, InvalidInput

INVALID = "Invalid data"
"""The message when it is the caller's data that is wrong; the details say how."""


class Details(msgspec.Struct):
    """What exactly is wrong, and in which field if it is in one."""

    field: str | None
    error: str


class Refusal(msgspec.Struct):
    """An error."""

    code: str
    message: str
    details: Details


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """The answer for anything that was raised on the way."""
    return Problem(_answer(request, error))


def refusal(status: int, code: str, message: str) -> Answer:
    """A refusal of what is no whole request."""
    return _refused(status, code, message, None)


def invalid(field: str | None, error: str) -> Refusal:
    """An error in the caller's data."""
    return Refusal(InvalidInput.code.lower(), INVALID, Details(field, error))


def _answer(request: Request[Any, Any, Any], error: Exception) -> Answer:
    if isinstance(error, HeadraceError) and (status := status_of(error)) is not None:
        headers = extra_headers(error)
        if type(error) is InvalidInput:
            return json_answer(status, invalid(error.field, str(error)), *headers)
        field = error.field if isinstance(error, InvalidInput) else None
        return _refused(status, error.code, str(error), field, *headers)
    if isinstance(error, HTTPException) and error.status_code < 500:
        headers = [(n.encode(), v.encode()) for n, v in (error.headers or {}).items()]
        code = code_of_framework(error)
        return _refused(error.status_code, code, error.detail, None, *headers)
    if isinstance(error, ClientGone):
        return json_answer(400, invalid(None, "the request ended before its body did"))
    incident = note_incident(request.scope["path"], error)
    return json_answer(500, Refusal("internal", INCIDENT, Details(None, incident)))


def _refused(status: int, code: str, message: str, field: str | None, *headers: Header) -> Answer:
    return json_answer(status, Refusal(code.lower(), message, Details(field, message)), *headers)
