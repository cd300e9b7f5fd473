"""The audit log: every change leaves a row that says who, what and from where; no secret in it."""

from pathlib import Path

import pytest
from sqlalchemy import RowMapping, select

from service.accounts.audit import Actor, audit, note
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.sessions import end_all
from service.errors import BadCredentials, InvalidCode
from tests.signing import Accounts, opened_accounts

ADA = "ada@example.com"
OWNER = Actor("user", "u1", ADA, "192.0.2.7")


@pytest.fixture
async def accounts(tmp_path: Path):
    async with opened_accounts(tmp_path) as opened:
        yield opened


async def rows(accounts: Accounts) -> list[RowMapping]:
    """All rows, oldest first."""
    async with accounts.database.reading() as connection:
        found = await connection.execute(select(audit).order_by(audit.c.number))
    return list(found.mappings())


async def actions(accounts: Accounts) -> list[str]:
    return [row["action"] for row in await rows(accounts)]


async def test_a_row_says_who_did_what_when_and_from_where(accounts):
    new = await accounts.keys.create("collector", ["ingest"], by=OWNER)
    (row,) = await rows(accounts)
    who = ("user", "u1", ADA, "192.0.2.7")
    assert tuple(row[f"actor_{part}"] for part in ("kind", "id", "name")) == who[:3]
    assert (row["address"], row["action"], row["subject"]) == (who[3], "key.made", new.key.id)
    assert (row["environment_id"], row["at"] >= new.key.created_at) == (DEFAULT_ENVIRONMENT, True)
    assert row["details"]["scopes"] == "ingest"


async def test_a_key_is_noted_when_it_is_made_and_when_it_ends_for_the_first_time(accounts):
    new = await accounts.keys.create("collector", ["ingest"])
    for _ in range(2):
        await accounts.keys.revoke(new.key.id)
    assert await actions(accounts) == ["key.made", "key.revoked"]


async def test_signing_in_and_out_is_noted_with_the_callers_address(accounts):
    await accounts.sign_in.request_code(ADA, "192.0.2.7")
    code = accounts.letters.code
    welcome = await accounts.sign_in.verify(ADA, code, "192.0.2.8")
    await accounts.sessions.end(await accounts.sessions.verify(welcome.token), "192.0.2.9")
    said = [(row["action"], row["address"][-1], row["actor_kind"]) for row in await rows(accounts)]
    assert said == [
        ("code.asked", "7", "nobody"),
        ("user.made", "8", "user"),
        ("session.begun", "8", "user"),
        ("session.ended", "9", "user"),
    ]
    assert not any(code in repr(row) or welcome.token in repr(row) for row in await rows(accounts))


@pytest.mark.parametrize(
    ("typed", "kept"), [(ADA, "a…@example.com"), ("eve@example.com", "e…@example.com")]
)
async def test_a_wrong_password_is_noted_whether_there_is_an_account_or_not(accounts, typed, kept):
    await accounts.registry.logins.register(ADA, "a password of the tests", OWNER)
    with pytest.raises(BadCredentials):
        await accounts.registry.logins.log_in(typed, "another password", OWNER)
    last = (await rows(accounts))[-1]
    assert (last["action"], last["actor_kind"]) == ("session.refused", "nobody")
    assert (last["subject"], last["address"]) == (kept, "192.0.2.7")


async def test_what_is_typed_instead_of_an_address_is_not_kept(accounts):
    with pytest.raises(BadCredentials):
        await accounts.registry.logins.log_in("my password is 1234", "x" * 8, OWNER)
    assert (await rows(accounts))[-1]["subject"] == "…"


async def test_whose_sessions_an_operator_ended_is_noted(accounts):
    await accounts.token(ADA)
    await end_all(accounts.database, await accounts.users.find(ADA))
    last = (await rows(accounts))[-1]
    assert (last["action"], last["subject"]) == ("session.all_ended", ADA)
    assert last["details"] == {"sessions": 1}


async def test_how_long_events_are_kept_is_noted(accounts):
    await accounts.environments.set_retention(DEFAULT_ENVIRONMENT, 30, OWNER)
    (row,) = await rows(accounts)
    assert (row["action"], row["details"]) == ("environment.retention_changed", {"days": 30})


async def test_a_replaced_bootstrap_key_is_noted_once(accounts):
    for text in ("evp_the_first_text", "evp_the_other_text", "evp_the_other_text"):
        await accounts.keys.ensure_bootstrap(text)
    assert await actions(accounts) == ["key.made", "key.bootstrap_replaced"]


async def change_and_fail(accounts: Accounts) -> None:
    async with accounts.database.writing() as connection:
        await note(connection, OWNER, "key.made", "key_x")
        raise RuntimeError


async def test_a_change_that_fails_leaves_no_row(accounts):
    with pytest.raises(RuntimeError):
        await change_and_fail(accounts)
    assert await actions(accounts) == []


async def test_a_refused_code_is_noted_with_the_address_that_brought_it(accounts):
    with pytest.raises(InvalidCode):
        await accounts.sign_in.verify(ADA, "000000", "192.0.2.7")
    (row,) = await rows(accounts)
    assert (row["action"], row["actor_kind"], row["address"]) == (
        "code.refused",
        "nobody",
        "192.0.2.7",
    )
    assert row["subject"] == "a…@example.com"


async def test_no_text_is_too_long_for_a_row(accounts):
    long = "x" * 1000
    async with accounts.database.writing() as connection:
        await note(connection, Actor("key", long, long, long), "key.made", long)
    (row,) = await rows(accounts)
    assert (len(row["subject"]), len(row["actor_name"]), len(row["address"])) == (254, 254, 64)
