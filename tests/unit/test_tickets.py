"""Tickets: good once, for a minute, by any process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.accounts.principals import Principal
from service.accounts.tickets import Ticket, Tickets, tickets
from service.errors import Unauthenticated
from tests.signing import Accounts, opened_accounts

ADA = Principal("env_1", frozenset({"read"}), "key_1", "ada")


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with opened_accounts(tmp_path) as opened:
        yield opened


async def test_a_ticket_stands_for_its_credential_in_its_environment_once(accounts: Accounts):
    here, there = Tickets(accounts.database), Tickets(accounts.database)
    made = await here.make(ADA)
    assert await there.take(made.text) == Ticket("key_1", "env_1")
    for process in (here, there):
        with pytest.raises(Unauthenticated):
            await process.take(made.text)


async def test_of_many_who_bring_a_ticket_at_once_one_gets_in(accounts: Accounts):
    desk = Tickets(accounts.database)
    made = await desk.make(ADA)
    taken = await asyncio.gather(*(desk.take(made.text) for _ in range(8)), return_exceptions=True)
    assert [type(each) for each in taken].count(Ticket) == 1


@pytest.mark.parametrize("unknown", ["", "evl_x", "\udcff", "x" * 5000])
async def test_what_is_no_ticket_is_refused(accounts: Accounts, unknown: str):
    with pytest.raises(Unauthenticated):
        await Tickets(accounts.database).take(unknown)


async def test_a_ticket_is_refused_past_its_time_and_then_forgotten(accounts: Accounts):
    desk = Tickets(accounts.database)
    old = await desk.make(ADA)
    async with accounts.database.writing() as connection:
        await connection.execute(update(tickets).values(expires_at=1))
    await desk.make(ADA)
    async with accounts.database.reading() as connection:
        kept = (await connection.execute(select(tickets.c.digest))).all()
    assert len(kept) == 1
    with pytest.raises(Unauthenticated):
        await desk.take(old.text)


async def test_its_text_is_not_kept(accounts: Accounts):
    made = await Tickets(accounts.database).make(ADA)
    async with accounts.database.reading() as connection:
        [row] = (await connection.execute(select(tickets))).all()
    assert made.text not in map(str, row)
