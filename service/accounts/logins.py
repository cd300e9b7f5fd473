"""Accounts with a password: made, signed in to, and given another password."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.addresses import account_of, masked
from service.accounts.audit import Actor
from service.accounts.invitations import redeem
from service.accounts.passwords import Passwords, check_password
from service.accounts.sessions import PERSON, SignedIn, end_sessions, sessions
from service.accounts.sign_in import Desk
from service.accounts.users import User, user_at, user_by_id, user_of, users
from service.database import Database, heard
from service.errors import AddressTaken, BadCredentials, BadPassword, InvalidInput
from service.limits import Limit
from service.telemetry import log

LOGINS = Limit("logins", 20, 600)
"""Passwords tried for one address, right or wrong, whoever tries."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A user, and the hash of his password if he has one."""

    user: User
    password: str | None


class Logins:
    """Signing in with a password. Raises AccountsUnavailable when the database does not answer.

    Whether there is an account, and whether it may be used, only a right password tells: whoever
    brings a wrong one gets the same answer after the same work.
    """

    def __init__(self, database: Database, desk: Desk, passwords: Passwords) -> None:
        self._database = database
        self._desk = desk
        self._passwords = passwords

    async def register(
        self, email: str, password: str, by: Actor, invitation: str | None = None
    ) -> User:
        """Make an account, and follow an invitation with it if its token is given.

        Raises InvalidInput for what is no address or no password, AddressTaken, BadInvitation,
        Overloaded.
        """
        address = account_of(email)
        check_password(password)
        kept = await self._passwords.hash(password)
        with heard():
            async with self._database.writing() as connection:
                if await user_at(connection, address):
                    raise AddressTaken
                user = await self._desk.users.register(connection, address, kept, by)
                if invitation is None:
                    return user
                await redeem(connection, user, invitation, by)
                return await user_by_id(connection, user.id)

    async def log_in(self, email: str, password: str, by: Actor) -> str:
        """Begin a session; its token. Raises BadCredentials, RateLimited, Overloaded."""
        address = _perhaps(email)
        await self._desk.limits.take(LOGINS, address)
        kept = await self._matching(address, password)
        if kept is None:
            log().info("accounts.login_failed", address=by.address)
            await self._note_refusal(address, by)
            raise BadCredentials
        renewed = await self._renewed(kept, password)
        with heard():
            async with self._database.writing() as connection:
                now = await _kept(connection, address)
                if now is None or now.password != kept.password or not now.user.is_active:
                    raise BadCredentials
                if renewed != now.password:
                    await set_password(connection, now.user, renewed)
                return await self._desk.sessions.begin(connection, now.user, by.address)

    async def change_password(self, session: SignedIn, former: str, new: str, by: Actor) -> None:
        """Give the account another password, and end all other sessions of its user.

        Raises InvalidInput, BadPassword when `former` is not the one it has, RateLimited.
        """
        check_password(new, "new_password")
        await self.check_former(session.user, former)
        kept = await self._passwords.hash(new)
        with heard():
            async with self._database.writing() as connection:
                await set_password(connection, session.user, kept)
                others = sessions.c.user_id == session.user.id, sessions.c.kind == PERSON
                await end_sessions(connection, *others, sessions.c.id != session.session_id)
                await audit.note(connection, by, audit.PASSWORD_CHANGED, session.user.email)
        await self._desk.sessions.hear()

    async def hash(self, password: str) -> str:
        """What may be kept of a new password. Raises InvalidInput, Overloaded."""
        check_password(password)
        return await self._passwords.hash(password)

    async def check_former(self, user: User, password: str) -> None:
        """Raises BadPassword when this is not the user's password, RateLimited."""
        await self._desk.limits.take(LOGINS, user.email)
        if await self._matching(user.email, password) is None:
            raise BadPassword

    async def _matching(self, address: str, password: str) -> _Kept | None:
        """The account of this address with this password, if it may be used."""
        with heard():
            async with self._database.reading() as connection:
                kept = await _kept(connection, address)
        matches = await self._passwords.matches(password, kept.password if kept else None)
        return kept if kept and matches and kept.user.is_active else None

    async def _note_refusal(self, address: str, by: Actor) -> None:
        """Note a wrong password. A text that is no address may be anything: it is not kept."""
        with heard():
            async with self._database.writing() as connection:
                stranger, subject = audit.nobody(by.address), _shown(address)
                await audit.note(connection, stranger, audit.SESSION_REFUSED, subject)

    async def _renewed(self, kept: _Kept, password: str) -> str | None:
        """The hash to keep from now on."""
        if kept.password and self._passwords.is_outdated(kept.password):
            return await self._passwords.hash(password)
        return kept.password


def _perhaps(email: str) -> str:
    """The address; a text that is none is nobody's."""
    try:
        return account_of(email)
    except InvalidInput:
        return email.lower()[:254]


def _shown(address: str) -> str:
    try:
        return masked(account_of(address))
    except InvalidInput:
        return "…"


async def _kept(connection: AsyncConnection, address: str) -> _Kept | None:
    found = await connection.execute(select(users).where(users.c.email == address))
    row = found.mappings().one_or_none()
    return _Kept(user_of(row), row["password"]) if row else None


async def set_password(connection: AsyncConnection, user: User, kept: str | None) -> None:
    """Give an account another password; `kept` as `Passwords.hash` gives it."""
    await connection.execute(update(users).where(users.c.id == user.id).values(password=kept))
