"""`DELETE /api/v1/customers/{userId}` and `GET /api/v1/erasures`: users who are to be forgotten."""

from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.erasures import MOST_LISTED, Erasure
from service.api.answers import Answer, Success, headers_of, iso, json_answer
from service.api.guards import ADMINISTERS, Gate
from service.api.openapi import Said, change, data, read, refusal, text_parameter
from service.api.questions.customers import WHO, user_of
from service.api.rate_limits import Turnstile
from service.erasure.asking import Forgetting


class ErasureReport(msgspec.Struct, rename="camel"):
    """What became of an erasure. `asked`: it is waited for; `erased`: nothing of the user is left.

    `events` and `versions` (of profile and attributes) were deleted, `deadLetters` let go.
    `unreadableLetters` are dead letters of the environment of which nobody can tell whose they are.
    """

    id: str
    state: Literal["asked", "erased"]
    asked_at: str
    erased_at: str | None
    events: int
    versions: int
    dead_letters: int
    unreadable_letters: int


class ErasureList(msgspec.Struct):
    """Erasures of the environment, the newest first."""

    erasures: list[ErasureReport]


class ErasureRoutes:
    """Erasures, asked for by who administers the environment."""

    def __init__(self, gate: Gate, turnstile: Turnstile, forgetting: Forgetting) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._forgetting = forgetting

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("DELETE", "/api/v1/customers/{user_id:str}", self.erase, _ERASE),
            *read("/api/v1/erasures", self.latest, _LATEST),
            *read("/api/v1/erasures/{erasure_id:str}", self.one, _ONE),
        ]

    async def erase(self, request: Request[Any, Any, Any]) -> Answer:
        """Erase a user: profile, history and events.

        Everything that came in before the erasure is carried out goes; what comes in afterwards is
        kept again. Asked once more, the same erasure answers.
        """
        scope = request.scope
        caller = await self._gate.caller(headers_of(scope), ADMINISTERS)
        by = caller.actor(self._turnstile.address_of(scope))
        asked = await self._forgetting.ask(caller.tenant, user_of(request), by)
        where = (b"location", f"/api/v1/erasures/{asked.id}".encode())
        return json_answer(202, Success(data=_report(asked)), where)

    async def latest(self, request: Request[Any, Any, Any]) -> Answer:
        """List the last erasures."""
        caller = await self._gate.caller(headers_of(request.scope), ADMINISTERS)
        found = await self._forgetting.erasures.latest(caller.tenant)
        return json_answer(200, Success(data=ErasureList([_report(erasure) for erasure in found])))

    async def one(self, request: Request[Any, Any, Any]) -> Answer:
        """What became of an erasure."""
        scope = request.scope
        caller = await self._gate.caller(headers_of(scope), ADMINISTERS)
        erasure_id = scope["path_params"]["erasure_id"]
        found = await self._forgetting.erasures.find(caller.tenant, erasure_id)
        return json_answer(200, Success(data=_report(found)))


def _report(erasure: Erasure) -> ErasureReport:
    return ErasureReport(
        id=erasure.id,
        state="asked" if erasure.erased_at is None else "erased",
        asked_at=iso(erasure.asked_at),
        erased_at=None if erasure.erased_at is None else iso(erasure.erased_at),
        events=erasure.events,
        versions=erasure.versions,
        dead_letters=erasure.dead_letters,
        unreadable_letters=erasure.unreadable_letters,
    )


_EXAMPLE = {
    "id": "era_0123456789abcdef01234567",
    "state": "erased",
    "askedAt": "2024-01-30T10:00:00.000Z",
    "erasedAt": "2024-01-30T10:00:00.412Z",
    "events": 1312,
    "versions": 3,
    "deadLetters": 0,
    "unreadableLetters": 0,
}
_REFUSALS = [
    refusal(401, "No key or token, or not a valid one."),
    refusal(403, "Without the scope `admin`."),
    refusal(503, "The accounts' database or the store does not answer; see `Retry-After`."),
]
_ERASE = Said(
    "customers",
    ADMINISTERS,
    [
        data(202, ErasureReport, "The erasure; `Location` says where it is followed.", _EXAMPLE),
        *_REFUSALS,
        refusal(404, "Nothing is known of such a user in this environment."),
    ],
    [WHO],
)
_LATEST = Said(
    "customers",
    ADMINISTERS,
    [
        data(200, ErasureList, f"At most {MOST_LISTED}.", {"erasures": [_EXAMPLE]}),
        *_REFUSALS,
    ],
)
_ONE = Said(
    "customers",
    ADMINISTERS,
    [
        data(200, ErasureReport, "The erasure.", _EXAMPLE),
        *_REFUSALS,
        refusal(404, "No such erasure in this environment."),
    ],
    [text_parameter("erasure_id", "As `DELETE` gave it.", where="path")],
)
