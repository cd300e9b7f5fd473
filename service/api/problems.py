"""Every error as the events face says it, once: status, code, message, details.

    {"success": false, "error": {"code": "…", "message": "…", "details": {…}}}

What Headrace raised on purpose keeps its code and message. Anything else is logged under an id,
and the caller is told the id alone.
"""

import math
from collections.abc import Sequence
from secrets import token_hex
from typing import Any, Literal

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from service.api.answers import Answer, Header, json_answer
from service.api.bodies import ClientGone
from service.errors import (
    Conflict,
    Forbidden,
    HeadraceError,
    InvalidInput,
    NoEnvironment,
    NotAcceptable,
    NotFound,
    RateLimited,
    Refused,
    RequestTimeout,
    Retryable,
    TooLarge,
    TransferFailed,
    Unauthenticated,
    UnsupportedMedia,
    WrongHost,
)
from service.telemetry import log

_STATUS: dict[type[Exception], int] = {
    InvalidInput: 400,
    TooLarge: 413,
    UnsupportedMedia: 415,
    NotAcceptable: 406,
    RequestTimeout: 408,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    WrongHost: 421,
    NoEnvironment: 400,
    Conflict: 409,
    Refused: 400,
    RateLimited: 429,
    TransferFailed: 409,
    Retryable: 503,
}

_FRAMEWORK = {
    400: "VALIDATION_ERROR",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


INCIDENT = "something failed here; the log names it under this id"


class ProblemError(msgspec.Struct):
    """What went wrong. `details` has the `field` at fault, or the verdicts on each event."""

    code: str
    message: str
    details: dict[str, Any]


class ProblemBody(msgspec.Struct, kw_only=True):
    """An error in the events face's form."""

    success: Literal[False] = False
    error: ProblemError


class Problem(Response[None]):
    """An answer in the shape that Litestar's exception handlers must give."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(None)
        self._answer = answer

    def to_asgi_response(self, *_: Any, **__: Any) -> Answer:
        return self._answer

    def plus(self, *headers: Header) -> "Problem":
        """The same with more headers."""
        return Problem(self._answer.plus(*headers))


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """The answer for anything that was raised on the way."""
    if isinstance(error, HeadraceError) and (status := status_of(error)) is not None:
        return Problem(_expected(status, error))
    if isinstance(error, HTTPException) and error.status_code < 500:
        return Problem(_framework(error))
    if isinstance(error, ClientGone):
        return Problem(problem(400, InvalidInput.code, "the request ended before its body did"))
    code = _code_of_route(request.scope["method"], request.scope["path"])
    incident = note_incident(request.scope["path"], error)
    return Problem(problem(500, code, INCIDENT, {"id": incident}))


def problem(
    status: int, code: str, message: str, details: dict[str, Any] | None = None, *headers: Header
) -> Answer:
    """An error in the events face's form."""
    body = ProblemBody(error=ProblemError(code, message, details or {}))
    return json_answer(status, body, *headers)


def refusal(status: int, code: str, message: str) -> Answer:
    """A refusal of what is no whole request."""
    return problem(status, code, message)


def status_of(error: HeadraceError) -> int | None:
    """The status of an error that was raised on purpose; None for one that no caller may see."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), None)


def _expected(status: int, error: HeadraceError) -> Answer:
    details = {"field": error.field} if isinstance(error, InvalidInput) and error.field else None
    return problem(status, error.code, str(error), details, *extra_headers(error))


def extra_headers(error: HeadraceError) -> Sequence[Header]:
    """What the caller is told beside the body."""
    if isinstance(error, Retryable):
        return [(b"retry-after", b"%d" % max(1, math.ceil(error.retry_after)))]
    if isinstance(error, Unauthenticated):
        return [(b"www-authenticate", b"Bearer")]
    if isinstance(error, RequestTimeout):
        return [(b"connection", b"close")]
    return []


def _framework(error: HTTPException) -> Answer:
    headers = [(n.encode(), v.encode()) for n, v in (error.headers or {}).items()]
    return problem(error.status_code, code_of_framework(error), error.detail, None, *headers)


def code_of_framework(error: HTTPException) -> str:
    """The code of what Litestar itself refuses."""
    return _FRAMEWORK.get(error.status_code, InvalidInput.code)


def note_incident(path: str, error: Exception) -> str:
    """Log what nobody foresaw; the id under which the log names it."""
    incident = token_hex(8)
    log().error("api.failed", incident=incident, path=path, exc_info=error)
    return incident


def _code_of_route(method: str, path: str) -> str:
    if method == "POST" and path.startswith("/api/auth/api-key"):
        return "API_KEY_GENERATION_ERROR"
    if path.startswith("/api/v1/analytics") or path.endswith("/stats"):
        return "ANALYTICS_ERROR"
    return "INGESTION_ERROR" if path.startswith("/api/v1/events") else HeadraceError.code
