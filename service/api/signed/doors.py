"""The doors of the signed face: `POST /apigw/ingest/…`, and its health."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope
from xxhash import xxh3_128_hexdigest

from service.accounts.partners import Partners, SignedBody
from service.accounts.signing_tokens import SigningToken
from service.api.answers import Answer, headers_of, iso, json_answer
from service.api.bodies import JSON, content_type, read_body
from service.api.guards import OPEN, PARTNERS
from service.api.openapi import Said, body_of, change, document, read, text_parameter
from service.api.signed.problems import Refusal
from service.api.signed.records import KINDS, Fault, Faulty, Kind, Workspace, events_of, schema_of
from service.errors import InvalidInput, InvalidSignature, MissingKey, UnsupportedMedia
from service.events import Event, tenant_seed
from service.ingest import Ingest, Verdict
from service.limits import Limit, Limits
from service.query.customers import Customers
from service.settings import Settings
from service.stream.subjects import EVENTS

MOUNT = "/apigw/ingest"
_IDS = "/{account_id:str}/{workspace_id:str}"


class Received(msgspec.Struct, rename="camel"):
    """The records are kept: on the stream `stream_name`, soon in the table `destination`."""

    message: str
    record_ids: list[str]
    count: int
    stream_name: str
    destination: str


class Healthy(msgspec.Struct):
    """The service answers."""

    status: Literal["healthy"]
    timestamp: str
    service: str = "data-pipeline-api"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the doors stand on."""

    partners: Partners
    limits: Limits
    ingest: Ingest
    customers: Customers
    settings: Settings


class SignedDoors:
    """Take records that a partner has signed: all of a request, or none."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._limit = Limit("signed", desk.settings.signed_per_second, 1)

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        doors = [
            change("POST", f"{MOUNT}/{name}{ids}", self._door(kind), _said(kind, bool(ids)))
            for name, kind in KINDS.items()
            for ids in ("", _IDS)
        ]
        return [*doors, *read(f"{MOUNT}/datapipeline/health", self.health, _HEALTH)]

    async def health(self, request: Request[Any, Any, Any]) -> Answer:
        """Whether the service answers."""
        return json_answer(200, Healthy("healthy", iso(int(time.time() * 1000))))

    def _door(self, kind: Kind) -> Any:
        async def take(request: Request[Any, Any, Any]) -> Answer:
            return await self._take(request, kind)

        take.__doc__ = f"Take {kind.about}s.\n\nAll of the request or none; up to 500."
        return take

    async def _take(self, request: Request[Any, Any, Any], kind: Kind) -> Answer:
        token, body = await self._signed(request)
        tenant, ingest = token.environment_id, self._desk.ingest
        async with ingest.turns.turn(len(body)):
            # Not kept here: the events are freed before the stream answers, while still warm.
            verdict = await ingest.accept(tenant, await self._events(kind, token, body), whole=True)
        if verdict.rejected:
            raise Faulty(_faults(kind, verdict))
        return json_answer(200, self._received(kind, token, verdict))

    async def _events(self, kind: Kind, token: SigningToken, body: bytes) -> Sequence[Event]:
        events = events_of(kind, body, Workspace(token.account_id, token.workspace_id))
        if kind.table == "customers":
            await self._desk.customers.name_tellings(token.environment_id, events)
        return events

    async def _signed(self, request: Request[Any, Any, Any]) -> tuple[SigningToken, bytes]:
        """Whose request it is, and its body, before any of it is read as anything."""
        desk, headers = self._desk, headers_of(request.scope)
        text = _token(headers)
        token = await desk.partners.find(text)
        await desk.limits.take(self._limit, token.id)
        _check_media(headers)
        settings = desk.settings
        desk.ingest.turns.look()
        body = await read_body(
            headers, request.receive, settings.max_body_bytes, settings.body_timeout
        )
        account_id, workspace_id = _workspace(request.scope, headers)
        signed = SignedBody(account_id, workspace_id, **_signature(headers), body=body)
        await desk.partners.verify(text, token, signed)
        return token, body

    def _received(self, kind: Kind, token: SigningToken, verdict: Verdict) -> Received:
        ids = _record_ids(token.environment_id, verdict.event_ids)
        message = f"{len(ids)} {kind.about}(s) sent to the stream successfully"
        destination = f"{self._desk.settings.engine}:///{kind.table}"
        return Received(message, ids, len(ids), EVENTS, destination)


def _token(headers: Mapping[bytes, bytes]) -> str:
    if not (text := headers.get(b"x-optikpi-token", b"").decode("latin-1").strip()):
        raise MissingKey("send a signing token in x-optikpi-token")
    return text


def _check_media(headers: dict[bytes, bytes]) -> None:
    content_type(headers, JSON)
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMedia("send the body plain: it is signed as it comes", "content-encoding")


def _workspace(scope: HTTPScope, headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """Account and workspace, by the path or by the headers; both must say the same."""
    named: Mapping[str, str] = scope.get("path_params", {})
    found = []
    for name in ("account", "workspace"):
        in_path = named.get(f"{name}_id")
        field = f"x-optikpi-{name}-id"
        in_header = headers.get(field.encode(), b"").decode("latin-1").strip() or in_path
        if in_header is None:
            raise InvalidInput(f"name the {name} in the path or in {field}", f"{name}_id")
        if in_path not in {None, in_header}:
            raise InvalidInput(f"the path and {field} name different {name}s", f"{name}_id")
        found.append(in_header)
    return found[0], found[1]


def _signature(headers: Mapping[bytes, bytes]) -> dict[str, Any]:
    if not (signature := headers.get(b"x-hmac-signature", b"")):
        raise InvalidSignature("send the body's signature in x-hmac-signature")
    signed_at, nonce = headers.get(b"x-timestamp", b""), headers.get(b"x-nonce", b"")
    if bool(signed_at) != bool(nonce):
        raise InvalidSignature("x-timestamp and x-nonce go together")
    algorithm = headers.get(b"x-hmac-algorithm", b"sha256").decode("latin-1").strip().lower()
    return {
        "signature": signature.strip(),
        "algorithm": algorithm,
        "signed_at": signed_at,
        "nonce": nonce,
    }


def _faults(kind: Kind, verdict: Verdict) -> Sequence[Fault]:
    return [
        Fault(r.index, kind.names.get(r.field or "", r.field or ""), r.message)
        for r in verdict.rejected
    ]


def _record_ids(tenant: str, event_ids: Sequence[str | None]) -> list[str]:
    seed, digest = tenant_seed(tenant), xxh3_128_hexdigest
    return [f"rec_{digest((event_id or '').encode(), seed)[:24]}" for event_id in event_ids]


_refused = partial(document, kind=Refusal)
_REFUSALS = [
    _refused(400, about="A record is wrong; `details` says which field, and all that is wrong."),
    _refused(401, about="No token, an unknown one, or the signature is not that of this body."),
    _refused(403, about="The token has expired or was revoked."),
    _refused(408, about="The body did not arrive in time."),
    _refused(413, about="More bytes or records than allowed."),
    _refused(415, about="Not plain JSON."),
    _refused(429, about="Too many requests in a second; see `Retry-After`."),
    _refused(503, about="The stream did not acknowledge; send the same again."),
]
_HEADERS = [
    text_parameter("x-optikpi-token", "The signing token.", where="header"),
    text_parameter("x-hmac-signature", "HMAC of the body, lower-case hexadecimal.", where="header"),
    text_parameter("x-hmac-algorithm", "The digest.", ["sha256", "sha512"], where="header"),
    text_parameter("x-timestamp", "Unix seconds, signed with the body.", where="header"),
    text_parameter("x-nonce", "A text used once, signed with the body.", where="header"),
]
_IN_HEADERS = [
    text_parameter("x-optikpi-account-id", "The account.", where="header"),
    text_parameter("x-optikpi-workspace-id", "The workspace.", where="header"),
]
_IN_PATH = [
    text_parameter("account_id", "The account.", where="path"),
    text_parameter("workspace_id", "The workspace.", where="path"),
]
_EXAMPLE = {
    "message": "1 deposit event(s) sent to the stream successfully",
    "recordIds": ["rec_3f1c0b5f9a2d4e6f8a7b6c5d"],
    "count": 1,
    "streamName": EVENTS,
    "destination": "duckdb:///events",
}


def _said(kind: Kind, in_path: bool) -> Said:
    return Said(
        "signed",
        PARTNERS,
        [document(200, Received, "Kept.", _EXAMPLE), *_REFUSALS],
        [*_HEADERS, *(_IN_PATH if in_path else _IN_HEADERS)],
        body_of("One record, or an array of up to 500.", json=(schema_of(kind), kind.example)),
    )


_HEALTH = Said("signed", OPEN, [document(200, Healthy, "It answers.")])
