"""Accounts with a password: made, signed in to; and what proof of an address does to them."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, select, update

from service.accounts.audit import audit, nobody
from service.accounts.logins import LOGINS, Logins
from service.accounts.passwords import Passwords
from service.accounts.users import users
from service.errors import (
    AddressTaken,
    BadCredentials,
    BadPassword,
    InvalidInput,
    RateLimited,
    Unauthenticated,
)
from tests.signing import Accounts, opened_accounts

ADA, BOB = "ada@example.com", "bob@example.com"
GOOD, OTHER = "MySecurePassword123!", "another secret"
HERE = nobody("192.0.2.1")


@pytest.fixture
async def accounts(tmp_path: Path):
    async with opened_accounts(tmp_path) as opened:
        yield opened


async def register(accounts: Accounts, email: str = ADA, password: str = GOOD):
    return await accounts.registry.logins.register(email, password, HERE)


async def log_in(accounts: Accounts, email: str = ADA, password: str = GOOD) -> str:
    return await accounts.registry.logins.log_in(email, password, HERE)


async def is_live(accounts: Accounts, token: str) -> bool:
    await accounts.sessions.hear()
    try:
        await accounts.sessions.verify(token)
    except Unauthenticated:
        return False
    return True


async def test_who_registers_signs_in_with_his_password(accounts):
    user = await register(accounts, "Ada@Example.com")
    session = await accounts.sessions.verify(await log_in(accounts, "ADA@example.com"))
    assert session.user == user
    assert (user.email, user.is_active, user.is_verified) == (ADA, True, False)


async def test_the_first_who_registers_is_superuser_and_works_nowhere_yet(accounts):
    first, second = await register(accounts), await register(accounts, BOB)
    assert (first.is_superuser, second.is_superuser) == (True, False)
    assert (first.environment_id, second.environment_id) == (None, None)
    session = await accounts.sessions.verify(await log_in(accounts))
    assert session.within("env_default").scopes == {"ingest", "read", "sql", "admin"}


async def test_a_named_owner_becomes_it_by_proving_his_address_not_by_typing_it(tmp_path):
    async with opened_accounts(tmp_path, owner=ADA) as accounts:
        assert not (await register(accounts)).is_superuser
        assert not (await register(accounts, BOB)).is_superuser
        assert (await accounts.welcome(ADA)).user.is_superuser
        assert not (await accounts.welcome(BOB)).user.is_superuser


async def test_an_address_has_one_account(accounts):
    await register(accounts)
    with pytest.raises(AddressTaken):
        await register(accounts, ADA.upper(), OTHER)
    assert await log_in(accounts)


@pytest.mark.parametrize(("email", "password"), [("ada", GOOD), (ADA, "short"), (ADA, "x" * 257)])
async def test_what_will_not_do_makes_no_account(accounts, email, password):
    with pytest.raises(InvalidInput):
        await register(accounts, email, password)
    assert await accounts.users.list() == []


async def test_nothing_tells_a_wrong_password_from_an_unknown_address(accounts):
    await register(accounts)
    await accounts.welcome(BOB)
    said: list[str] = []
    listens = event.listens_for(accounts.database.engine.sync_engine, "before_cursor_execute")
    listens(lambda *call: said.append(call[2]))
    taken = []
    for email in (ADA, BOB, "nobody@example.com", "no address"):
        said.clear()
        with pytest.raises(BadCredentials):
            await log_in(accounts, email, OTHER)
        taken.append(list(said))
    assert taken[0]
    assert taken == [taken[0]] * 4


async def test_who_is_not_active_does_not_come_in(accounts):
    await register(accounts)
    async with accounts.database.writing() as connection:
        await connection.execute(update(users).values(is_active=False))
    with pytest.raises(BadCredentials):
        await log_in(accounts)


async def test_an_address_has_twenty_tries_in_ten_minutes(accounts):
    await register(accounts)
    for _ in range(LOGINS.times):
        with pytest.raises(BadCredentials):
            await log_in(accounts, password=OTHER)
    with pytest.raises(RateLimited):
        await log_in(accounts)


async def test_a_hash_of_another_cost_is_made_anew_when_its_user_signs_in(accounts):
    await register(accounts)
    await log_in(accounts)
    cheap = await kept(accounts)
    dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    await Logins(accounts.database, accounts.sign_in._desk, dearer).log_in(ADA, GOOD, HERE)
    assert ("t=1" in cheap, "t=2" in await kept(accounts)) == (True, True)
    assert await log_in(accounts)


async def kept(accounts: Accounts) -> str:
    async with accounts.database.reading() as connection:
        return (await connection.execute(select(users.c.password))).scalar_one()


async def test_another_password_replaces_the_one_before_and_ends_the_other_sessions(accounts):
    await register(accounts)
    here, there = await log_in(accounts), await log_in(accounts)
    session = await accounts.sessions.verify(here)
    await accounts.registry.logins.change_password(session, GOOD, OTHER, session.actor(""))
    assert [await is_live(accounts, token) for token in (here, there)] == [True, False]
    with pytest.raises(BadCredentials):
        await log_in(accounts)
    assert await log_in(accounts, password=OTHER)


async def test_nobody_changes_a_password_that_he_does_not_know(accounts):
    await register(accounts)
    session = await accounts.sessions.verify(await log_in(accounts))
    with pytest.raises(BadPassword):
        await accounts.registry.logins.change_password(session, OTHER, OTHER, session.actor(""))
    assert await log_in(accounts)


async def test_proof_of_the_address_ends_what_a_stranger_began_in_its_name(accounts):
    await register(accounts)
    strangers = await log_in(accounts)
    welcome = await accounts.welcome(ADA)
    assert welcome.user.is_verified
    assert [await is_live(accounts, t) for t in (strangers, welcome.token)] == [False, True]
    with pytest.raises(BadCredentials):
        await log_in(accounts)


async def test_every_step_is_noted(accounts):
    await register(accounts)
    session = await accounts.sessions.verify(await log_in(accounts))
    await accounts.registry.logins.change_password(session, GOOD, OTHER, session.actor("192.0.2.2"))
    async with accounts.database.reading() as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.number))).all()
    assert [(row.action, row.actor_id, row.address) for row in rows] == [
        ("user.made", session.user.id, "192.0.2.1"),
        ("session.begun", session.user.id, "192.0.2.1"),
        ("user.password_changed", session.user.id, "192.0.2.2"),
    ]
