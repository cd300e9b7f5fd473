"""`/api/invitations`: people invited by letter into an environment or a team."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.accounts.invitations import Invitation, Invitations
from service.accounts.memberships import MEMBER, ROLES
from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.entrance import Entrance
from service.api.control.said import (
    BODY_REFUSED,
    CONFLICT,
    ENVIRONMENT_HEADER,
    NO_ENVIRONMENT,
    NOT_THERE,
    SIGNED_IN_ALWAYS,
    TOO_OFTEN,
    WRONG,
    refused,
)
from service.api.forms import read_form
from service.api.guards import ACTS, INVITES, OWNS_HERE, OWNS_IT
from service.api.openapi import Said, body_of, change, document, read, text_parameter


class NewInvitation(msgspec.Struct):
    """Whom to invite: into a team, or without one into the environment itself."""

    email: str
    role: str = MEMBER
    team_id: str | None = None


class Acceptance(msgspec.Struct):
    """The token of the letter."""

    token: str


class InvitationDocument(msgspec.Struct):
    """An open invitation."""

    id: str
    email: str
    role: str
    env_id: str
    team_id: str | None
    invited_by: str
    created_at: str
    expires_at: str


class InvitationRoutes:
    """Invitations."""

    def __init__(self, entrance: Entrance, invitations: Invitations) -> None:
        self._entrance = entrance
        self._invitations = invitations

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/invitations", self.list_open, _LIST),
            change("POST", "/api/invitations", self.send, _SEND),
            change("POST", "/api/invitations/accept", self.accept, _ACCEPT),
            change("DELETE", "/api/invitations/{invitation_id:str}", self.revoke, _REVOKE),
        ]

    async def list_open(self, request: Request[Any, Any, Any]) -> Answer:
        """List the open invitations into the environment and its teams.

        An owner of the environment may.
        """
        caller = await self._entrance.caller(request, OWNS_HERE)
        found = await self._invitations.list(caller)
        return json_answer(200, [_document(invitation) for invitation in found])

    async def send(self, request: Request[Any, Any, Any]) -> Answer:
        """Invite an address.

        Into a team, or into the environment: its owners may. The letter has a token, good once and
        for a week, for an account with that address.
        """
        caller = await self._entrance.caller(request, INVITES)
        form = await read_form(request, NewInvitation)
        sent = await self._invitations.send(caller, form.email, form.role, form.team_id)
        return json_answer(201, _document(sent))

    async def accept(self, request: Request[Any, Any, Any]) -> Answer:
        """Follow an invitation to the address of the account."""
        caller = await self._entrance.caller(request, ACTS)
        form = await read_form(request, Acceptance)
        return json_answer(200, _document(await self._invitations.accept(caller, form.token)))

    async def revoke(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Take an invitation back."""
        caller = await self._entrance.caller(request, OWNS_IT)
        await self._invitations.revoke(caller, request.scope["path_params"]["invitation_id"])
        return NO_CONTENT


def _document(invitation: Invitation) -> InvitationDocument:
    return InvitationDocument(
        id=invitation.id,
        email=invitation.email,
        role=invitation.role,
        env_id=invitation.environment_id,
        team_id=invitation.team_id,
        invited_by=invitation.invited_by,
        created_at=iso(invitation.created_at),
        expires_at=iso(invitation.expires_at),
    )


_EXAMPLE = {
    "id": "inv_0123456789abcdef",
    "email": "jane.smith@company.com",
    "role": "member",
    "env_id": "d455a981-be17-455e-a03c-4d9c3224db72",
    "team_id": None,
    "invited_by": "john.doe@company.com",
    "created_at": "2025-11-19T10:00:00.000Z",
    "expires_at": "2025-11-26T10:00:00.000Z",
}
_LIST = Said(
    "invitations",
    OWNS_HERE,
    [
        document(200, list[InvitationDocument], "The open ones.", [_EXAMPLE]),
        NO_ENVIRONMENT,
        *SIGNED_IN_ALWAYS,
        NOT_THERE,
    ],
    [ENVIRONMENT_HEADER],
)
_SEND = Said(
    "invitations",
    INVITES,
    [
        document(201, InvitationDocument, "Sent.", _EXAMPLE),
        NO_ENVIRONMENT,
        *SIGNED_IN_ALWAYS,
        NOT_THERE,
        CONFLICT,
        *BODY_REFUSED,
        WRONG,
        TOO_OFTEN,
    ],
    [ENVIRONMENT_HEADER],
    body_of(
        "Whom to invite.",
        json=(
            {
                "type": "object",
                "required": ["email"],
                "properties": {
                    "email": {"type": "string", "format": "email"},
                    "role": {"type": "string", "enum": list(ROLES)},
                    "team_id": {"type": ["string", "null"]},
                },
            },
            {"email": "jane.smith@company.com", "role": "member"},
        ),
    ),
)
_ACCEPT = Said(
    "invitations",
    ACTS,
    [
        document(200, InvitationDocument, "Accepted.", _EXAMPLE),
        refused(400, "`INVITATION_BAD_TOKEN`"),
        *SIGNED_IN_ALWAYS,
        *BODY_REFUSED,
        WRONG,
    ],
    body=body_of(
        "The token of the letter.",
        json=(
            {
                "type": "object",
                "required": ["token"],
                "properties": {"token": {"type": "string"}},
            },
            {"token": "inv_lV4gXA78mzlEjhpRIoyRx-trBxKs0g70"},
        ),
    ),
)
_REVOKE = Said(
    "invitations",
    OWNS_IT,
    [document(204, None, "Taken back."), *SIGNED_IN_ALWAYS, NOT_THERE],
    [text_parameter("invitation_id", "The invitation's `id`.", where="path")],
)
