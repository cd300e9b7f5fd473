"""Signing in by e-mail: a code is sent, the code comes back, a session begins.

A user is made when he first proves his address. Until then nothing tells an address that has an
account from one that has none: both get a letter, both take the same steps.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.addresses import account_of, masked
from service.accounts.codes import CODE_SECONDS, Codes
from service.accounts.sessions import Sessions, end_sessions, sessions
from service.accounts.users import User, Users, user_at
from service.database import Database, heard
from service.errors import InvalidCode
from service.limits import Limit, Limits
from service.mail.protocol import Letter, Mail
from service.telemetry import log

LETTERS = Limit("letters", 5, 600)
"""Codes sent to one address: so many, and nobody's mailbox is filled."""
ATTEMPTS = Limit("attempts", 20, 3600)
"""Codes tried for one address, whoever tries: a guesser needs years for even odds."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who has signed in, and the token of the session."""

    user: User
    token: str


@dataclass(frozen=True, slots=True)
class Desk:
    """What signing in works with."""

    codes: Codes
    users: Users
    sessions: Sessions
    mail: Mail
    limits: Limits


class SignIn:
    """Signing in. Raises AccountsUnavailable when the database does not answer."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self._database = database
        self._desk = desk

    async def request_code(self, email: str, caller: str = "") -> None:
        """Send a code to an e-mail address; `caller` is the network address of who asks.

        Raises InvalidInput for what is no address, RateLimited, MailUnavailable.
        """
        address = account_of(email)
        await self._desk.limits.take(LETTERS, address)
        with heard():
            async with self._database.writing() as connection:
                code = await self._desk.codes.issue(connection, address)
                stranger, subject = audit.nobody(caller), masked(address)
                await audit.note(connection, stranger, audit.CODE_ASKED, subject)
        await self._desk.mail.send(_letter(address, code))

    async def verify(self, email: str, code: str, caller: str = "") -> Welcome:
        """Take a code back and begin a session; `caller` is the network address of who does.

        Raises InvalidCode when it is not the one, was used, is too old or was tried too often;
        InvalidInput for what is no address; RateLimited.
        """
        address = account_of(email)
        await self._desk.limits.take(ATTEMPTS, address)
        with heard():
            welcome = await self._redeem(address, code, caller)
        if welcome is None:
            raise InvalidCode("the code is wrong or has expired: request a new one")
        log().info("accounts.signed_in", user=welcome.user.id)
        return welcome

    async def _redeem(self, address: str, code: str, caller: str) -> Welcome | None:
        """A wrong code is answered, not raised: the transaction that counts the try is kept."""
        desk = self._desk
        async with self._database.writing() as connection:
            if not await desk.codes.redeem(connection, address, code):
                stranger, subject = audit.nobody(caller), masked(address)
                await audit.note(connection, stranger, audit.CODE_REFUSED, subject)
                return None
            user = await proven(connection, desk.users, address, caller)
            if not user.is_active:
                return None
            return Welcome(user, await desk.sessions.begin(connection, user, caller))


async def proven(connection: AsyncConnection, users: Users, address: str, caller: str) -> User:
    """The user of an address that somebody has just proved to read, as `Users.ensure` gives him.

    Sessions that were begun before that proof, by whoever typed the address, end.
    """
    stranger = await user_at(connection, address)
    if stranger and not stranger.is_verified:
        await end_sessions(connection, sessions.c.user_id == stranger.id)
    return await users.ensure(connection, address, caller)


def _letter(address: str, code: str) -> Letter:
    text = (
        f"Your code is {code}\n\n"
        f"It is good for {CODE_SECONDS // 60} minutes, and once. If you did not ask for it, "
        "somebody typed your address by mistake: nothing happens without the code.\n"
    )
    return Letter(address, "Your sign-in code", text)
