"""`GET /api/v1/audit`: who changed what in an environment, newest first; `/mine`: oneself."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.audit_log import MOST, USUAL, Asked, AuditLog, Entry
from service.accounts.principals import Principal
from service.api.answers import Answer, Success, headers_of, iso, json_answer
from service.api.guards import ADMINISTERS, LOOKS_BACK, Gate
from service.api.openapi import Said, data, read, refusal, text_parameter
from service.api.served import parameters_of
from service.errors import Forbidden, InvalidInput
from service.events import milliseconds

_PARAMETERS = {
    "action": "An action, or the beginning of several: `key.made`, `key.`.",
    "actor": "Id or name of who did it, exactly.",
    "since": "From this time on, ISO 8601.",
    "until": "Up to before this time, ISO 8601.",
    "limit": f"Entries on the page, 1 to {MOST}; {USUAL} by default.",
    "cursor": "The `nextCursor` of the page before.",
}
_ALL = {"all": "`true`: of all environments, and of none; for a superuser."}


class ActorReport(msgspec.Struct):
    """Who did it: a `user`, `key`, `service` account, `operator`, or `nobody` known."""

    kind: str
    id: str
    name: str


class EntryReport(msgspec.Struct, rename="camel"):
    """One change. `address` is where the call came from; of IPv6 its /64."""

    id: str
    at: str
    environment_id: str | None
    actor: ActorReport
    address: str
    action: str
    subject: str
    details: dict[str, Any]


class AuditPage(msgspec.Struct, rename="camel"):
    """Entries, newest first; `nextCursor` is null on the last page."""

    entries: list[EntryReport]
    next_cursor: str | None


class AuditRoutes:
    """The audit log as an environment's owner and administrators see it, and every user his own."""

    def __init__(self, gate: Gate, audit: AuditLog) -> None:
        self._gate = gate
        self._audit = audit

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/v1/audit", self.page, _AUDIT),
            *read("/api/v1/audit/mine", self.mine, _MINE),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """Who changed what, newest first."""
        caller = await self._gate.caller(headers_of(request.scope), ADMINISTERS)
        raw = parameters_of(request.scope["query_string"])
        asked = _asked(raw, {**_PARAMETERS, **_ALL})
        return await self._answer(replace(asked, environment_id=_environment(raw, caller)))

    async def mine(self, request: Request[Any, Any, Any]) -> Answer:
        """What you did, and what was done to your account, newest first.

        In whichever environment, and in none: signing in is there, a new password, and what
        superusers changed.
        """
        signed_in = await self._gate.user(headers_of(request.scope), LOOKS_BACK)
        asked = _asked(parameters_of(request.scope["query_string"]), _PARAMETERS)
        return await self._answer(replace(asked, about=signed_in.user))

    async def _answer(self, asked: Asked) -> Answer:
        page = await self._audit.page(asked)
        entries = [_report(entry) for entry in page.entries]
        return json_answer(200, Success(data=AuditPage(entries, page.next)))


def _asked(raw: Mapping[str, str], known: Mapping[str, str]) -> Asked:
    for name in raw:
        if name not in known:
            there = ", ".join(known)
            raise InvalidInput(f"`{name}` is not a parameter here; there are {there}", name)
    return Asked(
        environment_id=None,
        action=raw.get("action", ""),
        actor=raw.get("actor", ""),
        since=_moment(raw, "since"),
        until=_moment(raw, "until"),
        limit=_limit(raw),
        cursor=raw.get("cursor", ""),
    )


def _environment(raw: Mapping[str, str], caller: Principal) -> str | None:
    if raw.get("all", "false") not in {"true", "false"}:
        raise InvalidInput("`all` is `true` or `false`", "all")
    if raw.get("all") != "true":
        return caller.tenant
    if not caller.is_superuser:
        raise Forbidden("only a superuser sees all environments")
    return None


def _moment(raw: Mapping[str, str], name: str) -> int | None:
    if name not in raw:
        return None
    try:
        return milliseconds(datetime.fromisoformat(raw[name]))
    except ValueError:
        raise InvalidInput(
            f"`{name}` must be a time in ISO 8601, like 2024-01-30T12:00:00Z "
            "(a + is written %2B in a URL)",
            name,
        ) from None


def _limit(raw: Mapping[str, str]) -> int:
    text = raw.get("limit", str(USUAL))
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= MOST:
        raise InvalidInput(f"`limit` must be a whole number from 1 to {MOST}", "limit")
    return int(text)


def _report(entry: Entry) -> EntryReport:
    by = entry.by
    return EntryReport(
        id=entry.id,
        at=iso(entry.at),
        environment_id=entry.environment_id,
        actor=ActorReport(by.kind, by.id, by.name),
        address=by.address,
        action=entry.action,
        subject=entry.subject,
        details={_camel(name): value for name, value in entry.details.items()},
    )


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name)


_EXAMPLE = {
    "entries": [
        {
            "id": "aud_0123456789abcdef01234567",
            "at": "2024-01-30T10:00:00.000Z",
            "environmentId": "env_default",
            "actor": {"kind": "user", "id": "b1e2…", "name": "ada@example.com"},
            "address": "192.0.2.7",
            "action": "key.made",
            "subject": "key_0123456789abcdef",
            "details": {"name": "collector", "scopes": "ingest", "tier": "free"},
        }
    ],
    "nextCursor": None,
}
_AUDIT = Said(
    "audit",
    ADMINISTERS,
    [
        data(200, AuditPage, "The entries.", _EXAMPLE),
        refusal(400, "An unknown parameter or value; the message names it."),
        refusal(401, "No key or token, or not a valid one."),
        refusal(403, "Without the scope `admin`; `all` by who is no superuser."),
        refusal(503, "The accounts' database does not answer; see `Retry-After`."),
    ],
    [text_parameter(name, about) for name, about in {**_PARAMETERS, **_ALL}.items()],
)
_MINE = Said(
    "audit",
    LOOKS_BACK,
    [
        data(200, AuditPage, "The entries.", _EXAMPLE),
        refusal(400, "An unknown parameter or value; the message names it."),
        refusal(401, "No token, or not a valid one."),
        refusal(403, "Of a service account."),
        refusal(503, "The accounts' database does not answer; see `Retry-After`."),
    ],
    [text_parameter(name, about) for name, about in _PARAMETERS.items()],
)
