"""Saved questions as they are kept: by name, for one environment, heard of everywhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.accounts.audit_log import Asked
from service.accounts.environments import DEFAULT_ENVIRONMENT, new_environment
from service.accounts.saved import LARGEST_DEFINITION, SavedQuestions
from service.errors import InvalidInput, NotFound
from tests.signing import Accounts, opened_accounts

HOME = DEFAULT_ENVIRONMENT


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with opened_accounts(tmp_path) as opened:
        yield opened


@pytest.fixture
def saved(accounts: Accounts) -> SavedQuestions:
    return accounts.saved


@pytest.fixture
async def elsewhere(saved: SavedQuestions, tmp_path: Path) -> AsyncIterator[SavedQuestions]:
    """The same questions as another process sees them."""
    async with opened_accounts(tmp_path) as opened:
        yield opened.saved


async def test_a_question_is_found_by_its_name(saved: SavedQuestions):
    made, is_new = await saved.put(HOME, "visits", "{}")
    assert (made.definition, is_new) == ("{}", True)
    assert await saved.find(HOME, "visits") == made
    assert await saved.list(HOME) == [made]


async def test_a_name_given_again_has_the_new_question(saved: SavedQuestions):
    first, _ = await saved.put(HOME, "visits", "{}")
    second, is_new = await saved.put(HOME, "visits", "[]")
    assert (second.definition, is_new, second.created_at) == ("[]", False, first.created_at)
    assert len(await saved.list(HOME)) == 1


async def test_a_name_that_was_taken_away_is_gone_and_may_be_given_again(saved: SavedQuestions):
    await saved.put(HOME, "visits", "{}")
    await saved.remove(HOME, "visits")
    assert await saved.list(HOME) == []
    for asking in (saved.find(HOME, "visits"), saved.remove(HOME, "visits")):
        with pytest.raises(NotFound):
            await asking
    assert (await saved.put(HOME, "visits", "[]"))[1] is True


async def heard(elsewhere: SavedQuestions, definition: str | None) -> None:
    """Return when the other process knows of this definition, or of none."""
    while True:
        try:
            if (await elsewhere.find(HOME, "visits")).definition == definition:
                return
        except NotFound:
            if definition is None:
                return
        await asyncio.sleep(0.02)


async def test_another_process_hears_of_every_change(saved, elsewhere):
    for definition in ("{}", "[]", None, "5"):
        if definition is None:
            await saved.remove(HOME, "visits")
        else:
            await saved.put(HOME, "visits", definition)
        await heard(elsewhere, definition)


async def test_each_environment_has_names_of_its_own(accounts: Accounts):
    async with accounts.database.writing() as connection:
        other = await new_environment(connection, "other")
    await accounts.saved.put(HOME, "visits", "{}")
    await accounts.saved.put(other, "visits", "[]")
    assert (await accounts.saved.find(HOME, "visits")).definition == "{}"
    await accounts.saved.remove(other, "visits")
    assert (await accounts.saved.find(HOME, "visits")).definition == "{}"
    with pytest.raises(NotFound):
        await accounts.saved.find(other, "visits")


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ä", "a" * 101, "a\n", "../x"])
async def test_a_name_that_will_not_do_is_refused(saved: SavedQuestions, name: str):
    with pytest.raises(InvalidInput):
        await saved.put(HOME, name, "{}")


async def test_a_definition_and_their_number_are_bounded(accounts: Accounts):
    saved = SavedQuestions(accounts.database, most=1)
    with pytest.raises(InvalidInput):
        await saved.put(HOME, "visits", "x" * (LARGEST_DEFINITION + 1))
    await saved.put(HOME, "a", "{}")
    await saved.put(HOME, "a", "[]")
    with pytest.raises(InvalidInput, match="at most 1"):
        await saved.put(HOME, "b", "{}")
    await saved.close()


async def test_every_change_is_in_the_audit_log(accounts: Accounts):
    await accounts.saved.put(HOME, "visits", "{}")
    await accounts.saved.put(HOME, "visits", "[]")
    await accounts.saved.remove(HOME, "visits")
    entries = (await accounts.audit.page(Asked(HOME))).entries
    told = [(entry.action, entry.subject) for entry in entries if "saved" in entry.action]
    assert told[::-1] == [
        ("saved_question.made", "visits"),
        ("saved_question.changed", "visits"),
        ("saved_question.removed", "visits"),
    ]
