"""Invitations into an environment or a team, by a letter to an address with a token in it."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import (
    RowMapping,
    delete,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.addresses import account_of
from service.accounts.audit import Actor
from service.accounts.callers import Caller
from service.accounts.environments import environment_by_id
from service.accounts.memberships import OWNER, invitations, members, team_members
from service.accounts.rights import current, owned
from service.accounts.sessions import Sessions
from service.accounts.teams import admit, check_role, owned_team, welcome
from service.accounts.users import User, join
from service.database import Database, heard
from service.errors import BadInvitation, Conflict, MailUnavailable, NotFound
from service.limits import Limit, Limits
from service.mail.protocol import Letter, Mail

INVITATION_DAYS = 7
INVITATIONS = Limit("invitations", 50, 3600)
"""Letters that one user has sent."""
TO_ONE_ADDRESS = Limit("invitations to", 5, 3600)
MOST_OPEN = 200
"""Invitations of one environment."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open invitation. Times in ms since 1970 UTC."""

    id: str
    environment_id: str
    team_id: str | None
    """Without one it is into the environment itself."""
    email: str
    role: str
    invited_by: str
    created_at: int
    expires_at: int


class Invitations:
    """Sends, lists, revokes and accepts invitations. Raises AccountsUnavailable."""

    def __init__(self, database: Database, sessions: Sessions, mail: Mail, limits: Limits) -> None:
        self._database = database
        self._sessions = sessions
        self._mail = mail
        self._limits = limits

    async def send(
        self, caller: Caller, email: str, role: str, team_id: str | None = None
    ) -> Invitation:
        """Invite an address into a team, or into the environment that the caller speaks for.

        He must own it. Raises InvalidInput, NoEnvironment, NotFound, Forbidden, Conflict,
        RateLimited, MailUnavailable; then nobody is invited.
        """
        address = account_of(email)
        check_role(role)
        token = f"inv_{secrets.token_urlsafe(24)}"
        with heard():
            async with self._database.reading() as connection:
                await _place(connection, caller, team_id)
            await self._limits.take(INVITATIONS, caller.user.id)
            await self._limits.take(TO_ONE_ADDRESS, address)
            async with self._database.writing() as connection:
                environment_id = await _place(connection, caller, team_id)
                await _check_room(connection, environment_id)
                name = (await environment_by_id(connection, environment_id)).name
                made = _new(environment_id, team_id, address, role, caller)
                values = {field: getattr(made, field) for field in Invitation.__slots__}
                await connection.execute(
                    insert(invitations).values(**values, digest=_digest(token))
                )
                here = (address, environment_id)
                action = audit.INVITATION_SENT
                await audit.note(connection, caller.by, action, *here, team=team_id, role=role)
        try:
            await self._mail.send(_letter(made, name, token))
        except MailUnavailable:
            await self._forget(made.id)
            raise
        return made

    async def list(self, caller: Caller) -> Sequence[Invitation]:
        """The open ones of the environment that he speaks for and must own, oldest first."""
        with heard():
            async with self._database.reading() as connection:
                environment_id = await current(connection, caller)
                await owned(connection, caller, environment_id)
                rows = await connection.execute(
                    select(invitations)
                    .where(invitations.c.environment_id == environment_id)
                    .where(invitations.c.expires_at > _now())
                    .order_by(invitations.c.created_at, invitations.c.id)
                )
        return [_invitation(row) for row in rows.mappings()]

    async def revoke(self, caller: Caller, invitation_id: str) -> None:
        """Take one back. Raises NotFound unless he owns what it is into."""
        with heard():
            async with self._database.writing() as connection:
                found = await connection.execute(
                    select(invitations).where(invitations.c.id == invitation_id)
                )
                row = found.mappings().one_or_none()
                if row is None:
                    raise NotFound(f"there is no invitation {invitation_id}")
                if row["team_id"]:
                    await owned_team(connection, caller, row["team_id"])
                else:
                    await owned(connection, caller, row["environment_id"])
                await _remove(connection, invitation_id)
                here = (row["email"], row["environment_id"])
                await audit.note(connection, caller.by, audit.INVITATION_REVOKED, *here)

    async def accept(self, caller: Caller, token: str) -> Invitation:
        """Follow an invitation to the caller's own address; raises BadInvitation for any other."""
        with heard():
            async with self._database.writing() as connection:
                accepted = await redeem(connection, caller.user, token, caller.by)
        await self._sessions.hear()
        return accepted

    async def _forget(self, invitation_id: str) -> None:
        with heard():
            async with self._database.writing() as connection:
                await _remove(connection, invitation_id)


async def redeem(connection: AsyncConnection, user: User, token: str, by: Actor) -> Invitation:
    """Let a user in as he was invited, in the caller's transaction; the token is used up.

    Raises BadInvitation when it is unknown, too old, or was sent to another address.
    """
    found = await connection.execute(
        select(invitations)
        .where(invitations.c.digest == _digest(token), invitations.c.email == user.email)
        .where(invitations.c.expires_at > _now())
    )
    row = found.mappings().one_or_none()
    if row is None:
        raise BadInvitation
    invitation = _invitation(row)
    await _remove(connection, invitation.id)
    await _let_in(connection, user, invitation)
    here = (user.email, invitation.environment_id)
    await audit.note(connection, by, audit.INVITATION_ACCEPTED, *here, team=invitation.team_id)
    return invitation


async def _let_in(connection: AsyncConnection, user: User, into: Invitation) -> None:
    """Nobody loses a greater role that he has."""
    if into.team_id:
        his = (team_members.c.team_id == into.team_id, team_members.c.user_id == user.id)
        role = await connection.execute(select(team_members.c.role).where(*his))
        if role.scalar_one_or_none() != OWNER:
            await connection.execute(delete(team_members).where(*his))
            await admit(connection, into.team_id, user.id, into.role)
    else:
        own = (members.c.environment_id == into.environment_id, members.c.user_id == user.id)
        role = await connection.execute(select(members.c.role).where(*own))
        if role.scalar_one_or_none() != OWNER:
            await join(connection, into.environment_id, user.id, into.role)
    await welcome(connection, into.environment_id, [user.id])


async def _place(connection: AsyncConnection, caller: Caller, team_id: str | None) -> str:
    """The environment of what is invited into, which the caller must own."""
    if team_id is not None:
        return (await owned_team(connection, caller, team_id)).environment_id
    environment_id = await current(connection, caller)
    return (await owned(connection, caller, environment_id)).id


async def _check_room(connection: AsyncConnection, environment_id: str) -> None:
    await connection.execute(delete(invitations).where(invitations.c.expires_at <= _now()))
    theirs = select(invitations.c.id).where(invitations.c.environment_id == environment_id)
    if len((await connection.execute(theirs)).all()) >= MOST_OPEN:
        raise Conflict(f"an environment has at most {MOST_OPEN} open invitations")


async def _remove(connection: AsyncConnection, invitation_id: str) -> None:
    await connection.execute(delete(invitations).where(invitations.c.id == invitation_id))


def _new(
    environment_id: str, team_id: str | None, address: str, role: str, caller: Caller
) -> Invitation:
    return Invitation(
        id=f"inv_{secrets.token_hex(8)}",
        environment_id=environment_id,
        team_id=team_id,
        email=address,
        role=role,
        invited_by=caller.user.email,
        created_at=_now(),
        expires_at=_now() + INVITATION_DAYS * 86_400_000,
    )


def _letter(invitation: Invitation, environment: str, token: str) -> Letter:
    text = (
        f"{invitation.invited_by} invites you into {environment}.\n\n"
        f"Your token is {token}\n\n"
        f"It is good for {INVITATION_DAYS} days, and once, for an account with this address. "
        "If you do not know who writes, do nothing.\n"
    )
    return Letter(invitation.email, "An invitation", text)


def _invitation(row: RowMapping) -> Invitation:
    return Invitation(**{field: row[invitations.c[field]] for field in Invitation.__slots__})


def _digest(token: str) -> str:
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def _now() -> int:
    return time.time_ns() // 1_000_000
