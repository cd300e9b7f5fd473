"""`/api/envs`: environments, and who belongs to them."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, UnsetType

from service.accounts.environments import Environment
from service.accounts.tenancy import LONGEST_RETENTION, Tenancy
from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.entrance import Entrance
from service.api.control.pages import PAGE_PARAMETERS, PageDocument, page_document, span_of
from service.api.control.people import A_MEMBER, MemberDocument, member_document
from service.api.control.query import name_of
from service.api.control.said import (
    BODY_REFUSED,
    CONFLICT,
    NOT_THERE,
    SIGNED_IN_ALWAYS,
    WRONG,
)
from service.api.forms import read_form, said_in
from service.api.guards import ACTS, BELONGS_TO_IT, IS_KNOWN, OWNS_IT
from service.api.openapi import Said, body_of, change, document, read, text_parameter


class RetentionConfiguration(msgspec.Struct, forbid_unknown_fields=True):
    """For how many days of their own time events are kept."""

    days: int


class NewEnvironment(msgspec.Struct):
    """The environment that is wanted."""

    name: str
    description: str | None = None
    use_retention: bool = False
    retention_configuration: RetentionConfiguration | None = None
    public_metrics: bool = False


class EnvironmentChanges(msgspec.Struct):
    """What shall be otherwise; what is left out stays."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    use_retention: bool | UnsetType = UNSET
    retention_configuration: RetentionConfiguration | UnsetType | None = UNSET
    public_metrics: bool | UnsetType = UNSET


class EnvironmentDocument(msgspec.Struct):
    """An environment. `tier` is the largest that its API keys may have."""

    id: str
    name: str
    description: str
    use_retention: bool
    retention_configuration: RetentionConfiguration | None
    public_metrics: bool
    tier: str
    created_at: str


class Verdict(msgspec.Struct):
    """Whether credentials for a store of one's own would do."""

    valid: bool
    message: str


class EnvironmentRoutes:
    """Environments."""

    def __init__(self, entrance: Entrance, tenancy: Tenancy) -> None:
        self._entrance = entrance
        self._tenancy = tenancy

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/envs", self.page, _PAGE),
            change("POST", "/api/envs", self.make, _MAKE),
            *read("/api/envs/filter-one", self.find_named, _FIND_NAMED),
            change("POST", "/api/envs/check-byok-credentials", self.check_byok, _CHECK_BYOK),
            *read("/api/envs/{env_id:str}", self.find, _FIND),
            change("PATCH", "/api/envs/{env_id:str}", self.patch, _PATCH),
            change("DELETE", "/api/envs/{env_id:str}", self.delete, _DELETE),
            *read("/api/envs/{env_id:str}/members", self.members, _MEMBERS),
            change("DELETE", "/api/envs/{env_id:str}/members/{user_id:str}", self.remove, _REMOVE),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List environments.

        Those that the caller belongs to, oldest first; for a superuser all.
        """
        caller = await self._entrance.caller(request, IS_KNOWN)
        page = await self._tenancy.page(caller, span_of(request))
        return json_answer(200, page_document(page, [_document(e) for e in page.items]))

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Make an environment.

        The caller owns it, and works in it from now on.
        """
        caller = await self._entrance.caller(request, ACTS)
        form = await read_form(request, NewEnvironment)
        return json_answer(201, _document(await self._tenancy.make(caller, **_values(form))))

    async def find_named(self, request: Request[Any, Any, Any]) -> Answer:
        """The environment of a name."""
        caller = await self._entrance.caller(request, IS_KNOWN)
        found = await self._tenancy.find_named(caller, name_of(request))
        return json_answer(200, _document(found))

    async def check_byok(self, request: Request[Any, Any, Any]) -> Answer:
        """Check credentials for a store of one's own.

        There is no such store: events are kept in the service's own. So nothing is ever valid, and
        what is sent is neither read nor kept.
        """
        await self._entrance.caller(request, ACTS)
        return json_answer(200, Verdict(False, _NO_BYOK))

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """An environment."""
        caller = await self._entrance.caller(request, BELONGS_TO_IT)
        found = await self._tenancy.find(caller, request.scope["path_params"]["env_id"])
        return json_answer(200, _document(found))

    async def patch(self, request: Request[Any, Any, Any]) -> Answer:
        """Change an environment.

        Its owners may.
        """
        caller = await self._entrance.caller(request, OWNS_IT)
        values = _values(await read_form(request, EnvironmentChanges))
        env_id = request.scope["path_params"]["env_id"]
        return json_answer(200, _document(await self._tenancy.change(caller, env_id, **values)))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete an environment.

        Its owners may, when it has no live API keys, no teams and no events; the default one stays.
        """
        caller = await self._entrance.caller(request, OWNS_IT)
        await self._tenancy.delete(caller, request.scope["path_params"]["env_id"])
        return NO_CONTENT

    async def members(self, request: Request[Any, Any, Any]) -> Answer:
        """Who belongs to an environment.

        On his own account, or through a team of it.
        """
        caller = await self._entrance.caller(request, BELONGS_TO_IT)
        found = await self._tenancy.members(caller, request.scope["path_params"]["env_id"])
        return json_answer(200, [member_document(member) for member in found])

    async def remove(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Remove somebody from an environment and all its teams.

        Its owners may, and everybody himself; the last owner stays.
        """
        caller = await self._entrance.caller(request, OWNS_IT)
        path = request.scope["path_params"]
        await self._tenancy.remove_member(caller, path["env_id"], path["user_id"])
        return NO_CONTENT


def _values(form: NewEnvironment | EnvironmentChanges) -> dict[str, Any]:
    """What was said, as the core takes it."""
    values = said_in(form)
    if "description" in values:
        values["description"] = values["description"] or ""
    if "retention_configuration" in values:
        kept = values.pop("retention_configuration")
        values["retention_days"] = kept.days if kept else None
    return values


def _document(environment: Environment) -> EnvironmentDocument:
    days = environment.retention_days
    return EnvironmentDocument(
        id=environment.id,
        name=environment.name,
        description=environment.description,
        use_retention=environment.use_retention,
        retention_configuration=None if days is None else RetentionConfiguration(days),
        public_metrics=environment.public_metrics,
        tier=environment.tier,
        created_at=iso(environment.created_at),
    )


_NO_BYOK = "this service keeps events in its own store: it takes no credentials for another one"
_EXAMPLE = {
    "id": "d455a981-be17-455e-a03c-4d9c3224db72",
    "name": "production-environment",
    "description": "Production data processing environment",
    "use_retention": True,
    "retention_configuration": None,
    "public_metrics": False,
    "tier": "free",
    "created_at": "2025-11-19T10:00:00.000Z",
}
_FIELDS = {
    "name": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": {"type": ["string", "null"], "maxLength": 1000},
    "use_retention": {"type": "boolean"},
    "retention_configuration": {
        "type": ["object", "null"],
        "required": ["days"],
        "additionalProperties": False,
        "properties": {"days": {"type": "integer", "minimum": 1, "maximum": LONGEST_RETENTION}},
    },
    "public_metrics": {"type": "boolean"},
}
_WANTED = {"type": "object", "required": ["name"], "properties": _FIELDS}
_CHANGES = {"type": "object", "properties": _FIELDS}
_ONE = document(200, EnvironmentDocument, "The environment.", _EXAMPLE)
_ID = text_parameter("env_id", "The environment's `id`.", where="path")
_PAGE = Said(
    "environments",
    IS_KNOWN,
    [
        document(200, PageDocument[EnvironmentDocument], "A page of them."),
        *SIGNED_IN_ALWAYS,
        WRONG,
    ],
    PAGE_PARAMETERS,
)
_MAKE = Said(
    "environments",
    ACTS,
    [
        document(201, EnvironmentDocument, "The environment.", _EXAMPLE),
        *SIGNED_IN_ALWAYS,
        CONFLICT,
        *BODY_REFUSED,
        WRONG,
    ],
    body=body_of(
        "The environment that is wanted.",
        json=(
            _WANTED,
            {name: _EXAMPLE[name] for name in ("name", "description", "use_retention")},
        ),
    ),
)
_FIND_NAMED = Said(
    "environments",
    IS_KNOWN,
    [_ONE, *SIGNED_IN_ALWAYS, NOT_THERE, WRONG],
    [text_parameter("name", "The name.")],
)
_FIND = Said("environments", BELONGS_TO_IT, [_ONE, *SIGNED_IN_ALWAYS, NOT_THERE], [_ID])
_PATCH = Said(
    "environments",
    OWNS_IT,
    [_ONE, *SIGNED_IN_ALWAYS, NOT_THERE, CONFLICT, *BODY_REFUSED, WRONG],
    [_ID],
    body_of(
        "What shall be otherwise.",
        json=(_CHANGES, {"use_retention": True, "retention_configuration": {"days": 30}}),
    ),
)
_DELETE = Said(
    "environments",
    OWNS_IT,
    [document(204, None, "Deleted."), *SIGNED_IN_ALWAYS, NOT_THERE, CONFLICT],
    [_ID],
)
_CHECK_BYOK = Said(
    "environments",
    ACTS,
    [
        document(200, Verdict, "Never valid.", {"valid": False, "message": _NO_BYOK}),
        *SIGNED_IN_ALWAYS,
    ],
    body=body_of("Whatever the store would want.", json=({"type": "object"}, {})),
)
_MEMBERS = Said(
    "environments",
    BELONGS_TO_IT,
    [
        document(200, list[MemberDocument], "Everybody who belongs to it.", [A_MEMBER]),
        *SIGNED_IN_ALWAYS,
        NOT_THERE,
    ],
    [_ID],
)
_REMOVE = Said(
    "environments",
    OWNS_IT,
    [document(204, None, "Removed."), *SIGNED_IN_ALWAYS, NOT_THERE, CONFLICT],
    [_ID, text_parameter("user_id", "The user's `id`.", where="path")],
)
