"""Every error as the control face says it, once: `{"detail": …}`.

Wrong data is 422 with a list that says where: `{"detail": [{"loc": ["body", "name"], "msg": "field
required", "type": "value_error.missing"}]}`.
"""

import re
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from service.api.answers import Answer, json_answer
from service.api.bodies import ClientGone
from service.api.problems import INCIDENT, Problem, extra_headers, note_incident, status_of
from service.errors import HeadraceError, InvalidInput, Refused, TooLarge, UnsupportedMedia

_MISSING = re.compile(r"^Object missing required field ")
_TYPE = re.compile(r"^Expected `")


class Detail(msgspec.Struct):
    """An error."""

    detail: str


class Complaint(msgspec.Struct):
    """What is wrong with one field: where it is, in words, and in a word."""

    loc: list[str]
    msg: str
    type: str


class Complaints(msgspec.Struct):
    """Wrong data."""

    detail: list[Complaint]


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """The answer for anything that was raised on the way."""
    return Problem(_answer(request, error))


def refusal(status: int, _: str, message: str) -> Answer:
    """A refusal of what is no whole request."""
    return json_answer(status, Detail(message))


def _answer(request: Request[Any, Any, Any], error: Exception) -> Answer:
    if isinstance(error, InvalidInput) and not isinstance(error, TooLarge | UnsupportedMedia):
        return json_answer(422, Complaints([_complaint(request.scope["method"], error)]))
    if isinstance(error, HeadraceError) and (status := status_of(error)) is not None:
        said = error.code if isinstance(error, Refused) else str(error)
        return json_answer(status, Detail(said), *extra_headers(error))
    if isinstance(error, HTTPException) and error.status_code < 500:
        headers = [(n.encode(), v.encode()) for n, v in (error.headers or {}).items()]
        return json_answer(error.status_code, Detail(error.detail), *headers)
    if isinstance(error, ClientGone):
        return json_answer(400, Detail("the request ended before its body did"))
    incident = note_incident(request.scope["path"], error)
    return json_answer(500, {"detail": INCIDENT, "id": incident})


def _complaint(method: str, error: InvalidInput) -> Complaint:
    place = "query" if method in {"GET", "HEAD", "DELETE"} else "body"
    where = [place, *error.field.split(".")] if error.field else [place]
    if _MISSING.match(str(error)):
        return Complaint(where, "field required", "value_error.missing")
    kind = "type_error" if _TYPE.match(str(error)) else "value_error"
    return Complaint(where, str(error), kind)
