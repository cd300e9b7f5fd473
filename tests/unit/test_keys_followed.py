"""How the copy of the keys in memory follows the table, and bears its silence."""

import asyncio

import pytest

from service.accounts import follower
from service.accounts.follower import Change, Follower
from service.errors import AccountsUnavailable


class ATable:
    """A table of one row, that counts its readings and can fall silent."""

    def __init__(self) -> None:
        self.row: str | None = "first"
        self.revision = 1
        self.readings = 0
        self.silent = False

    async def changes(self, since: int) -> list[Change[str]]:
        self.readings += 1
        await asyncio.sleep(0.001)
        if self.silent:
            raise OSError("the disk is gone")
        return [Change("id", "mark", self.row, self.revision)] if since < self.revision else []

    def change(self, row: str | None) -> None:
        self.row, self.revision = row, self.revision + 1


@pytest.fixture
def table():
    return ATable()


async def test_a_thousand_questions_at_once_cost_one_reading(table):
    rows = Follower(table.changes)
    assert set(await asyncio.gather(*(rows.find("mark") for _ in range(1000)))) == {"first"}
    assert table.readings == 1


async def test_strangers_neither_fill_memory_nor_keep_the_table_busy(table):
    rows = Follower(table.changes)
    await rows.find("mark")
    strangers = (rows.find(f"stranger {n}") for n in range(5000))
    assert set(await asyncio.gather(*strangers)) == {None}
    assert table.readings <= 3
    assert len(rows._rows) == 1


async def test_a_fresh_row_costs_no_reading(table):
    rows = Follower(table.changes)
    for _ in range(100):
        await rows.find("mark")
    assert table.readings == 1


async def test_a_change_is_known_within_a_second_by_the_clock_of_who_asks(table):
    now = [1000.0]
    rows = Follower(table.changes, clock=lambda: now[0])
    assert await rows.find("mark") == "first"
    table.change(None)
    now[0] += 1
    assert await rows.find("mark") is None


async def test_a_changed_row_replaces_the_one_before(table):
    rows = Follower(table.changes)
    await rows.find("mark")
    table.change("second")
    await rows.read_again()
    assert await rows.find("mark") == "second"
    table.change(None)
    await rows.read_again()
    assert await rows.find("mark") is None


async def test_rows_that_are_over_are_let_go_of_in_time(table, monkeypatch):
    monkeypatch.setattr(follower, "SWEEP", 0)
    rows = Follower(table.changes, is_over=lambda row: row == "second")
    await rows.find("mark")
    assert len(rows._rows) == 1
    table.change("second")
    await rows.read_again()
    assert (rows._rows, rows._marks) == ({}, {})


async def test_what_was_known_is_found_while_the_table_is_silent(table):
    rows = Follower(table.changes)
    await rows.find("mark")
    table.silent = True
    with pytest.raises(AccountsUnavailable):
        await rows.find("stranger")
    assert await rows.find("mark") == "first"


async def test_nothing_is_found_once_the_grace_is_over(table):
    rows = Follower(table.changes, grace=0)
    await rows.find("mark")
    table.silent = True
    with pytest.raises(AccountsUnavailable):
        await rows.read_again()
    with pytest.raises(AccountsUnavailable):
        await rows.find("mark")


async def test_a_table_that_speaks_again_is_followed_again(table):
    rows = Follower(table.changes, grace=0)
    table.silent = True
    with pytest.raises(AccountsUnavailable):
        await rows.find("mark")
    table.silent = False
    assert await rows.find("mark") == "first"


async def test_a_caller_who_goes_away_does_not_disturb_the_others(table):
    rows = Follower(table.changes)
    hasty, patient = (asyncio.create_task(rows.find("mark")) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    assert await patient == "first"
