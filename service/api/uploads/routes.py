"""The routes of uploads: for who administers the environment."""

import asyncio
from collections.abc import Mapping
from socket import gethostname
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from service.accounts.audit import UPLOAD_REMOVED, UPLOAD_RESUMED, UPLOAD_TAKEN
from service.accounts.audit_log import AuditLog
from service.accounts.principals import Principal
from service.api.answers import NO_CONTENT, Answer, Success, headers_of, iso, json_answer
from service.api.guards import ADMINISTERS, Gate
from service.api.openapi import Said, change, data, read, refusal, text_parameter
from service.api.rate_limits import Turnstile
from service.api.uploads.following import Following
from service.api.uploads.multipart import Form, boundary_of
from service.api.uploads.sending import FileAnswer
from service.delivery.uploads.carrying_out import Uploads
from service.delivery.uploads.intake import Intake
from service.delivery.uploads.shelf import UNFINISHED, State, Told, Upload, check_over
from service.errors import InvalidInput, NotFound, TooLarge

_FIELDS = frozenset({"config", "api", "mapping"})
_AROUND = 1024 * 1024
"""Bytes of a body beside its file."""
_KINDS = {"csv": b"text/csv; charset=utf-8", "json": b"application/json"}

_encode = msgspec.json.Encoder().encode


class UploadReport(msgspec.Struct, rename="camel"):
    """How far an upload is. `delay`: seconds between batches; `waitsFor`: seconds until the API may
    be asked again; `outcomes` as in the report."""

    id: str
    name: str
    state: State
    reason: str
    asked_at: str
    changed_at: str
    bytes: int
    bytes_done: int
    outcomes: Mapping[str, int]
    delay: float
    waits_for: float


class UploadList(msgspec.Struct):
    """Uploads of the environment, the newest first."""

    uploads: list[UploadReport]


class UploadRoutes:
    """Files in, how far they are, what became of their rows."""

    def __init__(self, gate: Gate, turnstile: Turnstile, uploads: Uploads, audit: AuditLog) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._uploads = uploads
        self._audit = audit

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/v1/uploads", self.take, _TAKE),
            *read("/api/v1/uploads", self.latest, _LATEST),
            *read("/api/v1/uploads/{upload_id:str}", self.one, _ONE),
            *read("/api/v1/uploads/{upload_id:str}/events", self.follow, _FOLLOW),
            *read("/api/v1/uploads/{upload_id:str}/report", self.report, _REPORT),
            change("POST", "/api/v1/uploads/{upload_id:str}/resume", self.resume, _RESUME),
            change("DELETE", "/api/v1/uploads/{upload_id:str}", self.remove, _REMOVE),
        ]

    async def take(self, request: Request[Any, Any, Any]) -> Answer:
        """Take in a CSV file and deliver each row of it to an HTTP API, once.

        The parts: `file`, `config` (as `api_config.json`, without variables), and where it has
        several, `api` and `mapping`. Answered when the file is on the disk and fits the
        configuration; it is delivered in the background.
        """
        headers = headers_of(request.scope)
        caller = await self._gate.caller(headers, ADMINISTERS)
        boundary, announced = boundary_of(headers), _announced(headers)
        if announced > (largest := self._uploads.allowed.largest) + _AROUND:
            raise TooLarge(f"the file may have at most {largest} bytes", "file")
        form = Form(_FIELDS)
        async with await asyncio.to_thread(
            self._uploads.intake, caller.tenant, max(0, announced - _AROUND)
        ) as intake:
            await form.read(request.receive, boundary, intake)
            told = await _checked(intake, form)
            details = {"name": told.name, "bytes": intake.size, "machine": gethostname()}
            await self._note(request, caller, UPLOAD_TAKEN, told.id, **details)
            upload = await intake.finish(told)
        self._uploads.wake()
        where = (b"location", f"/api/v1/uploads/{upload.told.id}".encode())
        return json_answer(202, Success(data=_report(upload)), where)

    async def latest(self, request: Request[Any, Any, Any]) -> Answer:
        """List the uploads that this machine has."""
        caller = await self._gate.caller(headers_of(request.scope), ADMINISTERS)
        found = await asyncio.to_thread(self._uploads.shelf.latest, caller.tenant)
        return json_answer(200, Success(data=UploadList([_report(one) for one in found])))

    async def one(self, request: Request[Any, Any, Any]) -> Answer:
        """How far an upload is."""
        return json_answer(200, Success(data=_report(await self._named(request))))

    async def follow(self, request: Request[Any, Any, Any]) -> Answer:
        """Follow an upload: server-sent events, each the document of a poll, until it has ended."""
        caller = await self._gate.caller(headers_of(request.scope), ADMINISTERS)
        name = request.scope["path_params"]["upload_id"]

        async def look() -> tuple[bytes, bool]:
            await self._gate.still(caller.key_id, caller.tenant, ADMINISTERS)
            upload = await asyncio.to_thread(self._uploads.shelf.find, caller.tenant, name)
            ended = upload.standing.state not in UNFINISHED
            return _encode(Success(data=_report(upload))), ended

        await look()
        following = Following(look)
        if request.scope["method"] == "HEAD":
            return Answer(200, b"", *following.answer_headers)
        return following

    async def report(self, request: Request[Any, Any, Any]) -> Answer:
        """Download what became of every row, once the upload has ended: CSV or JSON."""
        form = dict(parse_qsl(request.scope["query_string"].decode("latin-1"))).get("format", "csv")
        if form not in _KINDS:
            raise InvalidInput(f"format {form!r}: csv or json", "format")
        upload = await self._named(request)
        path = upload.delivery / f"report.{form}"
        if upload.standing.state in UNFINISHED or not path.exists():
            raise NotFound("there is no report yet")
        name = f"{upload.told.id}.{form}"
        return FileAnswer(path, _KINDS[form], name)

    async def resume(self, request: Request[Any, Any, Any]) -> Answer:
        """Try again what is not there: failed rows, and all that come after a stop."""
        caller, upload = await self._owned(request)
        check_over(upload)
        await self._note(request, caller, UPLOAD_RESUMED, upload.told.id)
        await asyncio.to_thread(self._uploads.shelf.go_on, upload)
        self._uploads.wake()
        return json_answer(202, Success(data=_report(await self._named(request))))

    async def remove(self, request: Request[Any, Any, Any]) -> Response[None]:
        """End an upload, if it has not ended, and forget it with its file and its reports."""
        caller, upload = await self._owned(request)
        await self._note(request, caller, UPLOAD_REMOVED, upload.told.id)
        await asyncio.to_thread(self._uploads.shelf.remove, upload)
        self._uploads.wake()
        return NO_CONTENT

    async def _named(self, request: Request[Any, Any, Any]) -> Upload:
        return (await self._owned(request))[1]

    async def _owned(self, request: Request[Any, Any, Any]) -> tuple[Principal, Upload]:
        caller = await self._gate.caller(headers_of(request.scope), ADMINISTERS)
        name = request.scope["path_params"]["upload_id"]
        return caller, await asyncio.to_thread(self._uploads.shelf.find, caller.tenant, name)

    async def _note(
        self,
        request: Request[Any, Any, Any],
        caller: Principal,
        action: str,
        upload_id: str,
        **details: Any,
    ) -> None:
        by = caller.actor(self._turnstile.address_of(request.scope))
        await self._audit.note(by, action, upload_id, caller.tenant, **details)


async def _checked(intake: Intake, form: Form) -> Told:
    if form.file_name is None or not form.fields.get("config"):
        missing = "file" if form.file_name is None else "config"
        raise InvalidInput(f"the part {missing} is missing", missing)
    api, mapping = form.fields.get("api", ""), form.fields.get("mapping", "")
    return await intake.checked(form.file_name, form.fields["config"], api, mapping)


def _announced(headers: Mapping[bytes, bytes]) -> int:
    """How long the body says that it is; 0 when it does not."""
    length = headers.get(b"content-length", b"")
    return int(length[:20]) if length.isdigit() else 0


def _report(upload: Upload) -> UploadReport:
    told, standing = upload.told, upload.standing
    return UploadReport(
        id=told.id,
        name=told.name,
        state=standing.state,
        reason=standing.reason,
        asked_at=iso(told.asked_at),
        changed_at=iso(standing.changed_at),
        bytes=standing.size,
        bytes_done=standing.byte,
        outcomes={str(outcome): count for outcome, count in standing.outcomes.items()},
        delay=round(standing.delay, 3),
        waits_for=round(standing.closed_for, 1),
    )


_EXAMPLE = {
    "id": "upl_0123456789abcdef01234567",
    "name": "customers.csv",
    "state": "sending",
    "reason": "",
    "askedAt": "2024-01-30T10:00:00.000Z",
    "changedAt": "2024-01-30T10:00:07.500Z",
    "bytes": 1048576,
    "bytesDone": 524288,
    "outcomes": {"created": 5120, "duplicate": 2, "rejected": 17, "failed": 0},
    "delay": 0.1,
    "waitsFor": 0.0,
}
_TEXT = Schema(type=OpenAPIType.STRING)
_BODY = RequestBody(
    {
        "multipart/form-data": OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT,
                required=["file", "config"],
                properties={
                    "file": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY),
                    "config": _TEXT,
                    "api": _TEXT,
                    "mapping": _TEXT,
                },
            )
        )
    },
    "The file, and what to do with it.",
    required=True,
)
_REFUSED = [
    refusal(401, "No key or token, or not a valid one."),
    refusal(403, "Without the scope `admin`."),
    refusal(503, "The accounts' database does not answer; see `Retry-After`."),
]
_NO_SUCH = refusal(404, "There is no such upload on this machine.")
_WHICH = text_parameter("upload_id", "As `POST /api/v1/uploads` gave it.", where="path")
_TAKE = Said(
    "uploads",
    ADMINISTERS,
    [
        data(202, UploadReport, "It waits; `Location` says where it is followed.", _EXAMPLE),
        refusal(400, "The form, the configuration or the file is wrong; the message says where."),
        refusal(408, "The body stopped coming."),
        refusal(409, "The environment has too many uploads, or too many bytes of them."),
        refusal(413, "More bytes than a file may have."),
        refusal(415, "The body is no multipart form."),
        *_REFUSED,
    ],
    body=_BODY,
)
_LATEST = Said(
    "uploads",
    ADMINISTERS,
    [data(200, UploadList, "At most 100.", {"uploads": [_EXAMPLE]}), *_REFUSED],
)
_ONE = Said(
    "uploads",
    ADMINISTERS,
    [data(200, UploadReport, "How far it is.", _EXAMPLE), *_REFUSED, _NO_SUCH],
    [_WHICH],
)
_FOLLOW = Said(
    "uploads",
    ADMINISTERS,
    [
        (200, ResponseSpec(bytes, False, "An event a change.", "text/event-stream")),
        *_REFUSED,
        _NO_SUCH,
    ],
    [_WHICH],
)
_REPORT = Said(
    "uploads",
    ADMINISTERS,
    [
        (200, ResponseSpec(bytes, False, "Every row.", "text/csv")),
        refusal(400, "There is no such format."),
        *_REFUSED,
        refusal(404, "There is no such upload on this machine, or it has not ended."),
    ],
    [_WHICH, text_parameter("format", "As which it comes; csv by default.", list(_KINDS))],
)
_RESUME = Said(
    "uploads",
    ADMINISTERS,
    [
        data(202, UploadReport, "It waits again.", _EXAMPLE),
        *_REFUSED,
        _NO_SUCH,
        refusal(409, "It has not ended."),
    ],
    [_WHICH],
)
_REMOVE = Said(
    "uploads",
    ADMINISTERS,
    [(204, ResponseSpec(None, False, "It is forgotten.")), *_REFUSED, _NO_SUCH],
    [_WHICH],
)
