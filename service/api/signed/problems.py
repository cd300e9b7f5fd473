"""Every error as the signed face says it, once.

{"error": "Bad Request", "message": "Validation failed: …",
 "details": {"field": "account_id", "issue": "missing required field", "errors": […]}}
"""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from service.api.answers import Answer, Header, json_answer
from service.api.bodies import ClientGone
from service.api.problems import INCIDENT, Problem, extra_headers, note_incident, status_of
from service.api.signed.records import Fault, Faulty
from service.errors import HeadraceError, InvalidInput


class Details(msgspec.Struct, omit_defaults=True):
    """The first thing that is wrong, and `errors`: all of them."""

    field: str | None = None
    issue: str | None = None
    errors: list[Fault] = msgspec.field(default_factory=list)


class Refusal(msgspec.Struct):
    """An error."""

    error: str
    message: str
    details: Details


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """The answer for anything that was raised on the way."""
    return Problem(_answer(request, error))


def refusal(status: int, _: str, message: str) -> Answer:
    """A refusal of what is no whole request."""
    return _refused(status, message, Details())


def _answer(request: Request[Any, Any, Any], error: Exception) -> Answer:
    if isinstance(error, HeadraceError) and (status := status_of(error)) is not None:
        return _refused(status, str(error), _details(error), *extra_headers(error))
    if isinstance(error, HTTPException) and error.status_code < 500:
        headers = [(n.encode(), v.encode()) for n, v in (error.headers or {}).items()]
        return _refused(error.status_code, error.detail, Details(), *headers)
    if isinstance(error, ClientGone):
        return _refused(400, "the request ended before its body did", Details())
    incident = note_incident(request.scope["path"], error)
    return _refused(500, f"{INCIDENT}: {incident}", Details())


def _details(error: HeadraceError) -> Details:
    if isinstance(error, Faulty):
        first = error.faults[0]
        return Details(first.field, first.issue, list(error.faults))
    if isinstance(error, InvalidInput):
        return Details(error.field, str(error))
    return Details()


def _refused(status: int, message: str, details: Details, *headers: Header) -> Answer:
    return json_answer(status, Refusal(HTTPStatus(status).phrase, message, details), *headers)
