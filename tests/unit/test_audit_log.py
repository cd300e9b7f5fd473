"""The audit log as it is read and forgotten."""

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from service.accounts.audit import Actor, audit, nobody, note
from service.accounts.audit_log import Asked, AuditLog
from service.errors import InvalidInput
from tests.signing import Accounts, opened_accounts

ADA = Actor("user", "u1", "ada@example.com", "192.0.2.7")
DAY = 86_400_000


@pytest.fixture
async def accounts(tmp_path: Path):
    async with opened_accounts(tmp_path) as opened:
        yield opened


async def noted(
    accounts: Accounts, *subjects: str, by: Actor = ADA, action: str = "key.made", of: str = "mine"
) -> None:
    async with accounts.database.writing() as connection:
        for subject in subjects:
            await note(connection, by, action, subject, of)


async def seen(accounts: Accounts, **asked: Any) -> list[str]:
    """The subjects on the first page."""
    page = await accounts.audit.page(Asked(**{"environment_id": "mine", **asked}))
    return [entry.subject for entry in page.entries]


async def test_pages_go_from_the_newest_to_the_oldest_and_miss_nothing(accounts):
    await noted(accounts, *"abcdefg")
    cursor, found = "", []
    while cursor is not None:
        page = await accounts.audit.page(Asked("mine", limit=3, cursor=cursor))
        found.append("".join(entry.subject for entry in page.entries))
        cursor = page.next
    assert found == ["gfe", "dcb", "a"]


async def test_a_full_last_page_has_no_page_after_it(accounts):
    await noted(accounts, *"abc")
    assert (await accounts.audit.page(Asked("mine", limit=3))).next is None


async def test_what_is_noted_meanwhile_does_not_move_the_pages(accounts):
    await noted(accounts, *"abcd")
    first = await accounts.audit.page(Asked("mine", limit=2))
    await noted(accounts, *"xy")
    assert await seen(accounts, limit=2, cursor=first.next) == ["b", "a"]


async def test_an_environment_sees_its_own_entries_and_a_superuser_all(accounts):
    await noted(accounts, "m")
    await noted(accounts, "t", of="theirs")
    await noted(accounts, "s", of=None)
    assert await seen(accounts) == ["m"]
    assert await seen(accounts, environment_id=None) == ["s", "t", "m"]


async def test_a_cursor_of_another_environment_is_none(accounts):
    await noted(accounts, *"ab", of="theirs")
    cursor = (await accounts.audit.page(Asked("theirs", limit=1))).next
    with pytest.raises(InvalidInput, match="cursor"):
        await seen(accounts, cursor=cursor)


@pytest.mark.parametrize(
    ("asked", "subjects"),
    [
        ({"action": "key.made"}, ["a"]),
        ({"action": "key."}, ["b", "a"]),
        ({"action": "key"}, ["b", "a"]),
        ({"action": "%"}, []),
        ({"action": "key_made"}, []),
        ({"actor": "ada@example.com"}, ["b", "a"]),
        ({"actor": "u1", "action": "key.revoked"}, ["b"]),
        ({"actor": "ada"}, []),
    ],
)
async def test_entries_are_found_by_action_and_actor(accounts, asked, subjects):
    await noted(accounts, "a")
    await noted(accounts, "b", action="key.revoked")
    await noted(accounts, "c", by=Actor("key", "key_1", "collector", ""), action="user.made")
    assert await seen(accounts, **asked) == subjects


async def test_entries_are_found_from_a_moment_up_to_before_another(accounts):
    await noted(accounts, *"abc")
    async with accounts.database.writing() as connection:
        await connection.execute(update(audit).values(at=audit.c.number * 1000))
    assert await seen(accounts, since=2000) == ["c", "b"]
    assert await seen(accounts, until=2000) == ["a"]
    assert await seen(accounts, since=2000, until=3000) == ["b"]


async def test_what_is_newer_comes_oldest_first(accounts):
    await noted(accounts, *"ab")
    (last,) = (await accounts.audit.page(Asked("mine", limit=1))).entries
    await noted(accounts, *"cd")
    newer = await accounts.audit.newer(last.number, Asked("mine"))
    assert [entry.subject for entry in newer] == ["c", "d"]


@pytest.mark.parametrize(("days", "left"), [(30, ["new"]), (0, ["new", "old"])])
async def test_entries_are_kept_for_so_many_days(accounts, days, left):
    await noted(accounts, "old")
    async with accounts.database.writing() as connection:
        await connection.execute(update(audit).values(at=time.time() * 1000 - 30 * DAY - 1000))
    await noted(accounts, "new")
    assert await AuditLog(accounts.database, days).forget() == 2 - len(left)
    assert await seen(accounts) == left


async def test_a_flood_of_strangers_pushes_out_their_own_entries_alone(accounts):
    await noted(accounts, "mine")
    await noted(accounts, *"abcdef", by=nobody("192.0.2.9"), of=None)
    assert await AuditLog(accounts.database, days=1, strangers=3).forget() == 3
    assert await seen(accounts, environment_id=None) == ["f", "e", "d", "mine"]
