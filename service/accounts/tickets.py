"""Tickets: good once and for a minute, for clients that cannot send their credential.

A browser's EventSource sends no headers, and what stands in a URL is written into logs: a ticket
read there is worth nothing. It stands for the credential that it was given for, so what it opened
ends with that one. Only its SHA-256 is kept.
"""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, String, Table, delete, insert, select

from service.accounts.credentials import digest_of, new_text, now_ms
from service.accounts.principals import Principal
from service.database import Database, heard, metadata
from service.errors import Unauthenticated

SECONDS = 60
"""How long a ticket is good."""

tickets = Table(
    "tickets",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("credential_id", String(64), nullable=False),
    Column("environment_id", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket just made; `expires_at` in ms since 1970 UTC."""

    text: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket stands for: a key or a session, by its id, in one environment."""

    credential_id: str
    tenant: str


class Tickets:
    """Made and taken by any process of a service; each is taken once by one of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, principal: Principal) -> NewTicket:
        """A ticket that stands for this principal. Raises AccountsUnavailable."""
        made, now = new_text("evl"), now_ms()
        row = {"digest": digest_of(made), "expires_at": now + SECONDS * 1000}
        row |= {"credential_id": principal.key_id, "environment_id": principal.tenant}
        with heard():
            async with self._database.writing() as connection:
                await connection.execute(delete(tickets).where(tickets.c.expires_at < now))
                await connection.execute(insert(tickets).values(**row))
        return NewTicket(made, now + SECONDS * 1000)

    async def take(self, text: str) -> Ticket:
        """What the ticket stands for; it is no good from now on.

        Raises Unauthenticated for one that is unknown, taken or too old; AccountsUnavailable.
        """
        this = tickets.c.digest == digest_of(text)
        with heard():
            async with self._database.writing() as connection:
                row = (await connection.execute(select(tickets).where(this))).one_or_none()
                taken = await connection.execute(delete(tickets).where(this))
        if row is None or not taken.rowcount or row.expires_at <= now_ms():
            raise Unauthenticated("the ticket is unknown, was used, or is too old")
        return Ticket(row.credential_id, row.environment_id)
