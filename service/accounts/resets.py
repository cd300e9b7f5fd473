"""New passwords for who has forgotten his: a token is mailed, and comes back with the new one."""

import secrets
import time
from hashlib import sha256

from sqlalchemy import BigInteger, Column, String, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.addresses import account_of, masked
from service.accounts.audit import Actor
from service.accounts.logins import set_password
from service.accounts.passwords import Passwords, check_password
from service.accounts.sessions import end_sessions, sessions
from service.accounts.sign_in import LETTERS, Desk
from service.accounts.users import User, user_at, user_by_id
from service.database import Database, heard, metadata
from service.errors import BadResetToken, NotFound
from service.mail.protocol import Letter

RESET_MINUTES = 30

reset_tokens = Table(
    "reset_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user_id", String(36), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""`user_id` is empty for an address without an account: it costs the same row."""


class Resets:
    """Gives accounts a new password. Raises AccountsUnavailable."""

    def __init__(self, database: Database, desk: Desk, passwords: Passwords) -> None:
        self._database = database
        self._desk = desk
        self._passwords = passwords

    async def ask(self, email: str, by: Actor) -> None:
        """Send a token to an address; to one without an account a letter that says so.

        Raises InvalidInput for what is no address, RateLimited, MailUnavailable.
        """
        address = account_of(email)
        await self._desk.limits.take(LETTERS, address)
        token = secrets.token_urlsafe(24)
        with heard():
            async with self._database.writing() as connection:
                user = await user_at(connection, address)
                may = user is not None and user.is_active
                await _keep(connection, token, user.id if user and may else "")
                await audit.note(connection, by, audit.RESET_ASKED, masked(address))
        await self._desk.mail.send(_letter(address, token if may else None))

    async def reset(self, token: str, password: str, by: Actor) -> None:
        """Give the account of a token this password, and end all that was begun with the old one.

        It proves the address, too. Raises InvalidInput, which leaves the token as it is,
        BadResetToken, Overloaded.
        """
        check_password(password)
        with heard():
            async with self._database.reading() as connection:
                await _user_of(connection, token)
            kept = await self._passwords.hash(password)
            async with self._database.writing() as connection:
                user = await _user_of(connection, token)
                await connection.execute(
                    delete(reset_tokens).where(reset_tokens.c.user_id == user.id)
                )
                user = await self._desk.users.prove(connection, user)
                await set_password(connection, user, kept)
                await end_sessions(connection, sessions.c.user_id == user.id)
                me = Actor("user", user.id, user.email, by.address)
                await audit.note(connection, me, audit.PASSWORD_RESET, user.email)
        await self._desk.sessions.hear()


async def _keep(connection: AsyncConnection, token: str, user_id: str) -> None:
    now = time.time_ns() // 1_000_000
    row = {"user_id": user_id, "expires_at": now + RESET_MINUTES * 60_000}
    await connection.execute(delete(reset_tokens).where(reset_tokens.c.expires_at <= now))
    await connection.execute(insert(reset_tokens).values(**row, digest=_digest(token)))


async def _user_of(connection: AsyncConnection, token: str) -> User:
    """Whose token it is; raises BadResetToken."""
    found = await connection.execute(
        select(reset_tokens.c.user_id).where(
            reset_tokens.c.digest == _digest(token),
            reset_tokens.c.expires_at > time.time_ns() // 1_000_000,
        )
    )
    try:
        user = await user_by_id(connection, found.scalar_one_or_none() or "")
    except NotFound:
        raise BadResetToken from None
    if not user.is_active:
        raise BadResetToken
    return user


def _letter(address: str, token: str | None) -> Letter:
    subject = "A new password"
    if token is None:
        text = (
            "Somebody asked for a new password for this address, but there is no account with it "
            "here that may be used.\n"
        )
        return Letter(address, subject, text)
    text = (
        f"Your token is {token}\n\n"
        f"With it you can set a new password, once, in the next {RESET_MINUTES} minutes. "
        "If you did not ask for it, do nothing.\n"
    )
    return Letter(address, subject, text)


def _digest(token: str) -> str:
    return sha256(token.encode(errors="surrogatepass")).hexdigest()
