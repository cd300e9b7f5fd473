"""Every error as the clients made for Segment and for PostHog read it.

Segment   {"success": false, "code": "validation_error", "message": "…", "field": "event"}
PostHog   {"type": "validation_error", "code": "validation_error", "detail": "…", "attr": …}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
from service.ingest import Verdict


class RefusedRecord(msgspec.Struct):
    """Why one record was refused; `index` is its place, `id` its own name if it has one."""

    index: int
    id: str | None
    field: str | None
    message: str


class SegmentRefusal(msgspec.Struct, kw_only=True):
    """An error, as Segment's clients read it."""

    success: Literal[False] = False
    code: str
    message: str
    field: str | None = None
    rejected: list[RefusedRecord] | msgspec.UnsetType = msgspec.UNSET


class PostHogRefusal(msgspec.Struct, kw_only=True):
    """An error, as PostHog's clients read it."""

    type: str
    code: str
    detail: str
    attr: str | None = None
    rejected: list[RefusedRecord] | msgspec.UnsetType = msgspec.UNSET


Rejects = list[RefusedRecord] | msgspec.UnsetType
Refuse = Callable[[str, str, str | None, Rejects], msgspec.Struct]


def _segment(code: str, text: str, field: str | None, rejected: Rejects) -> SegmentRefusal:
    return SegmentRefusal(code=code, message=text, field=field, rejected=rejected)


def _posthog(code: str, text: str, field: str | None, rejected: Rejects) -> PostHogRefusal:
    return PostHogRefusal(type=code, code=code, detail=text, attr=field, rejected=rejected)


@dataclass(frozen=True, slots=True)
class Wording:
    """How the clients of one service are told of errors."""

    refused: Refuse

    def answer_error(self, request: Request[Any, Any, Any], error: Exception) -> Problem:
        """The answer for anything that was raised on the way."""
        return Problem(self._answer(request, error))

    def refusal(self, status: int, code: str, message: str) -> Answer:
        """A refusal of what is no whole request."""
        return self._refuse(status, code, message)

    def nothing_taken(self, rejected: list[RefusedRecord]) -> Answer:
        """The answer when every record of a request was refused."""
        first = rejected[0]
        code = InvalidInput.code.lower()
        return json_answer(400, self.refused(code, first.message, first.field, rejected))

    def _answer(self, request: Request[Any, Any, Any], error: Exception) -> Answer:
        if isinstance(error, HeadraceError) and (status := status_of(error)) is not None:
            field = error.field if isinstance(error, InvalidInput) else None
            return self._refuse(status, error.code, str(error), *extra_headers(error), field=field)
        if isinstance(error, HTTPException) and error.status_code < 500:
            headers = [(n.encode(), v.encode()) for n, v in (error.headers or {}).items()]
            code = code_of_framework(error)
            return self._refuse(error.status_code, code, error.detail, *headers)
        if isinstance(error, ClientGone):
            text = "the request ended before its body did"
            return self._refuse(400, InvalidInput.code, text)
        incident = note_incident(request.scope["path"], error)
        return self._refuse(500, HeadraceError.code, f"{INCIDENT}: {incident}")

    def _refuse(
        self, status: int, code: str, text: str, *headers: Header, field: str | None = None
    ) -> Answer:
        return json_answer(status, self.refused(code.lower(), text, field, msgspec.UNSET), *headers)


SEGMENT, POSTHOG = Wording(_segment), Wording(_posthog)


def refused_records(verdict: Verdict, names: Mapping[str, str]) -> list[RefusedRecord]:
    """The refused ones, with their fields as their senders call them."""
    return [
        RefusedRecord(r.index, r.event_id, names.get(r.field or "", r.field), r.message)
        for r in verdict.rejected
    ]
