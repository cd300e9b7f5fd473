"""`/api/teams`: teams of an environment, and who is in them."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, UnsetType

from service.accounts.memberships import MEMBER, ROLES
from service.accounts.teams import MOST_AT_ONCE, Team, Teams
from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.entrance import Entrance
from service.api.control.pages import PAGE_PARAMETERS, PageDocument, page_document, span_of
from service.api.control.people import A_MEMBER, MemberDocument, member_document
from service.api.control.query import name_of
from service.api.control.said import (
    BODY_REFUSED,
    CONFLICT,
    ENVIRONMENT_HEADER,
    NO_ENVIRONMENT,
    NOT_THERE,
    SIGNED_IN_ALWAYS,
    WRONG,
)
from service.api.forms import read_form, said_in
from service.api.guards import (
    BELONGS_TO_ITS_ENVIRONMENT,
    IS_IN_IT,
    IS_KNOWN,
    OWNS_HERE,
    OWNS_IT,
)
from service.api.openapi import Said, body_of, change, document, read, text_parameter


class NewTeam(msgspec.Struct):
    """The team that is wanted."""

    name: str
    description: str | None = None


class TeamChanges(msgspec.Struct):
    """What shall be otherwise; what is left out stays."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class TeamDocument(msgspec.Struct):
    """A team."""

    id: str
    name: str
    description: str
    env_id: str
    created_at: str


class NewMembers(msgspec.Struct):
    """The ids of users who shall be in the team, and as what."""

    members: list[str]
    role: str = MEMBER


class MemberChanges(msgspec.Struct):
    """What a member shall be."""

    role: str


class TeamRoutes:
    """Teams."""

    def __init__(self, entrance: Entrance, teams: Teams) -> None:
        self._entrance = entrance
        self._teams = teams

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        member = "/api/teams/{team_id:str}/members/{user_id:str}"
        return [
            *read("/api/teams", self.page, _PAGE),
            change("POST", "/api/teams", self.make, _MAKE),
            *read("/api/teams/filter-one", self.find_named, _FIND_NAMED),
            *read("/api/teams/{team_id:str}", self.find, _FIND),
            change("PATCH", "/api/teams/{team_id:str}", self.patch, _PATCH),
            change("DELETE", "/api/teams/{team_id:str}", self.delete, _DELETE),
            *read("/api/teams/{team_id:str}/members", self.members, _MEMBERS),
            change("POST", "/api/teams/{team_id:str}/members/bulk", self.add, _ADD),
            change("PATCH", member, self.patch_member, _PATCH_MEMBER),
            change("DELETE", member, self.remove, _REMOVE),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List the teams of the environment."""
        caller = await self._entrance.caller(request, IS_KNOWN)
        page = await self._teams.page(caller, span_of(request))
        return json_answer(200, page_document(page, [_document(team) for team in page.items]))

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a team in the environment.

        An owner of the environment may; he owns the team.
        """
        caller = await self._entrance.caller(request, OWNS_HERE)
        form = await read_form(request, NewTeam)
        team = await self._teams.make(caller, form.name, form.description or "")
        return json_answer(201, _document(team))

    async def find_named(self, request: Request[Any, Any, Any]) -> Answer:
        """The team of a name in the environment."""
        caller = await self._entrance.caller(request, IS_KNOWN)
        return json_answer(200, _document(await self._teams.find_named(caller, name_of(request))))

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A team."""
        caller = await self._entrance.caller(request, BELONGS_TO_ITS_ENVIRONMENT)
        return json_answer(200, _document(await self._teams.find(caller, _team_id(request))))

    async def patch(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a team."""
        caller = await self._entrance.caller(request, OWNS_IT)
        form = await read_form(request, TeamChanges)
        values = said_in(form)
        if "description" in values:
            values["description"] = values["description"] or ""
        changed = await self._teams.change(caller, _team_id(request), **values)
        return json_answer(200, _document(changed))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a team.

        Who belongs to the environment through it alone belongs to it no more.
        """
        caller = await self._entrance.caller(request, OWNS_IT)
        await self._teams.delete(caller, _team_id(request))
        return NO_CONTENT

    async def members(self, request: Request[Any, Any, Any]) -> Answer:
        """Who is in a team.

        For who is in it too, and for owners of its environment.
        """
        caller = await self._entrance.caller(request, IS_IN_IT)
        found = await self._teams.members(caller, _team_id(request))
        return json_answer(200, [member_document(member) for member in found])

    async def add(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Add users to a team.

        All of them or none; who is in it already stays as he is. They belong to its environment
        from now on.
        """
        caller = await self._entrance.caller(request, OWNS_IT)
        form = await read_form(request, NewMembers, _LARGEST_LIST)
        await self._teams.add(caller, _team_id(request), form.members, form.role)
        return NO_CONTENT

    async def patch_member(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Give somebody in a team another role."""
        caller = await self._entrance.caller(request, OWNS_IT)
        form = await read_form(request, MemberChanges)
        user_id = request.scope["path_params"]["user_id"]
        await self._teams.change_member(caller, _team_id(request), user_id, form.role)
        return NO_CONTENT

    async def remove(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Take somebody out of a team.

        Its owners may, and everybody himself; the last owner stays.
        """
        caller = await self._entrance.caller(request, OWNS_IT)
        user_id = request.scope["path_params"]["user_id"]
        await self._teams.remove(caller, _team_id(request), user_id)
        return NO_CONTENT


def _team_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["path_params"]["team_id"])


def _document(team: Team) -> TeamDocument:
    made = iso(team.created_at)
    return TeamDocument(team.id, team.name, team.description, team.environment_id, made)


_LARGEST_LIST = 64 * 1024
_EXAMPLE = {
    "id": "881e0fce-5caa-4f5c-82c6-5eb883c47100",
    "name": "Data Engineering Team",
    "description": "Team responsible for ETL pipelines",
    "env_id": "d455a981-be17-455e-a03c-4d9c3224db72",
    "created_at": "2025-11-19T10:00:00.000Z",
}
_FIELDS = {
    "name": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": {"type": ["string", "null"], "maxLength": 1000},
}
_WANTED = {"type": "object", "required": ["name"], "properties": _FIELDS}
_ROLE = {"type": "string", "enum": list(ROLES)}
_SAID = {"name": _EXAMPLE["name"], "description": _EXAMPLE["description"]}
_ONE = document(200, TeamDocument, "The team.", _EXAMPLE)
_DONE = document(204, None, "Done.")
_ID = text_parameter("team_id", "The team's `id`.", where="path")
_USER_ID = text_parameter("user_id", "The user's `id`.", where="path")
_CHANGES = [*SIGNED_IN_ALWAYS, NOT_THERE, CONFLICT]
_PAGE = Said(
    "teams",
    IS_KNOWN,
    [
        document(200, PageDocument[TeamDocument], "A page of them."),
        *SIGNED_IN_ALWAYS,
        NOT_THERE,
        WRONG,
    ],
    [*PAGE_PARAMETERS, ENVIRONMENT_HEADER],
)
_MAKE = Said(
    "teams",
    OWNS_HERE,
    [
        document(201, TeamDocument, "The team.", _EXAMPLE),
        NO_ENVIRONMENT,
        *_CHANGES,
        *BODY_REFUSED,
        WRONG,
    ],
    [ENVIRONMENT_HEADER],
    body_of("The team that is wanted.", json=(_WANTED, _SAID)),
)
_FIND_NAMED = Said(
    "teams",
    IS_KNOWN,
    [_ONE, NO_ENVIRONMENT, *SIGNED_IN_ALWAYS, NOT_THERE, WRONG],
    [text_parameter("name", "The name."), ENVIRONMENT_HEADER],
)
_FIND = Said("teams", BELONGS_TO_ITS_ENVIRONMENT, [_ONE, *SIGNED_IN_ALWAYS, NOT_THERE], [_ID])
_PATCH = Said(
    "teams",
    OWNS_IT,
    [_ONE, *_CHANGES, *BODY_REFUSED, WRONG],
    [_ID],
    body_of("What shall be otherwise.", json=({"type": "object", "properties": _FIELDS}, _SAID)),
)
_DELETE = Said("teams", OWNS_IT, [_DONE, *_CHANGES], [_ID])
_MEMBERS = Said(
    "teams",
    IS_IN_IT,
    [
        document(200, list[MemberDocument], "Everybody in the team.", [A_MEMBER]),
        *SIGNED_IN_ALWAYS,
        NOT_THERE,
    ],
    [_ID],
)
_ADD = Said(
    "teams",
    OWNS_IT,
    [_DONE, *_CHANGES, *BODY_REFUSED, WRONG],
    [_ID],
    body_of(
        "Who shall be in it.",
        json=(
            {
                "type": "object",
                "required": ["members"],
                "properties": {
                    "members": {
                        "type": "array",
                        "items": {"type": "string"},
                        "maxItems": MOST_AT_ONCE,
                    },
                    "role": _ROLE,
                },
            },
            {"members": ["32d4b09d-4527-40d5-923b-e166d85cb459"]},
        ),
    ),
)
_PATCH_MEMBER = Said(
    "teams",
    OWNS_IT,
    [_DONE, *_CHANGES, *BODY_REFUSED, WRONG],
    [_ID, _USER_ID],
    body_of(
        "What he shall be.",
        json=(
            {"type": "object", "required": ["role"], "properties": {"role": _ROLE}},
            {"role": "owner"},
        ),
    ),
)
_REMOVE = Said("teams", OWNS_IT, [_DONE, *_CHANGES], [_ID, _USER_ID])
