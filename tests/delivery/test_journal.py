"""What the journal promises: what was kept is there again, and nothing else."""

import asyncio
from pathlib import Path

import pytest

from service.delivery.journal import Delivered, Entry, Journal, entries
from service.errors import Conflict, HeadraceError, InvalidInput

ABOUT = Delivered("d1", 10, "http://api/users", "s1")


def an_entry(row: int, outcome: str = "created") -> Entry:
    return Entry(row, row + 1, (row * 10, row + 1), outcome, 201, [str(row)], "")  # type: ignore[arg-type]


async def kept(folder: Path, *some: Entry, about: Delivered = ABOUT) -> None:
    with Journal(folder, about) as journal:
        await asyncio.gather(*(journal.keep([entry]) for entry in some))


def standing(folder: Path, about: Delivered = ABOUT) -> tuple[list[int], int]:
    """The rows that are settled, and the row behind which to go on."""
    with Journal(folder, about) as journal:
        found = journal.standing()
    settled = [row for row in range(1, len(found.states) + 2) if found.is_settled(row)]
    return settled, found.cursor.row if found.cursor else 0


async def test_what_was_kept_is_settled(tmp_path: Path):
    await kept(tmp_path, *map(an_entry, (1, 2, 4)))
    assert standing(tmp_path) == ([1, 2, 4], 2)


async def test_failed_rows_are_to_be_sent_again(tmp_path: Path):
    await kept(tmp_path, an_entry(1), an_entry(2, "failed"), an_entry(3))
    assert standing(tmp_path) == ([1, 3], 1)
    await kept(tmp_path, an_entry(2))
    assert standing(tmp_path) == ([1, 2, 3], 3)


async def test_refused_rows_are_tried_again_once_rows_are_made_into_something_else(tmp_path: Path):
    await kept(tmp_path, an_entry(1), an_entry(2, "rejected"))
    other = Delivered("d1", 10, "http://api/users", "s2")
    assert standing(tmp_path)[0] == [1, 2]
    assert standing(tmp_path, other)[0] == [1]


@pytest.mark.parametrize("lost", range(1, 30))
async def test_a_line_that_was_not_written_whole_is_cut_off(lost: int, tmp_path: Path):
    await kept(tmp_path, an_entry(1), an_entry(2))
    path = tmp_path / "journal"
    path.write_bytes(path.read_bytes()[:-lost])
    assert standing(tmp_path)[0] == [1]
    await kept(tmp_path, an_entry(3))
    assert [entry.row for entry in entries(path)] == [1, 3]


async def test_damage_in_the_middle_is_said(tmp_path: Path):
    await kept(tmp_path, an_entry(1), an_entry(2))
    path = tmp_path / "journal"
    path.write_bytes(path.read_bytes().replace(b"[1,", b"[9,"))
    with pytest.raises(HeadraceError, match="line 2: damaged"):
        Journal(tmp_path, ABOUT)


async def test_one_process_delivers_at_a_time(tmp_path: Path):
    with Journal(tmp_path, ABOUT), pytest.raises(Conflict, match="in use"):
        Journal(tmp_path, ABOUT)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (Delivered("d2", 10, "http://api/users", "s1"), "the file has changed"),
        (Delivered("d1", 10, "http://other/users", "s1"), "was to http://api/users"),
    ],
)
async def test_other_content_and_another_target_are_refused(about, said, tmp_path: Path):
    await kept(tmp_path, an_entry(1))
    with pytest.raises(InvalidInput, match=said):
        Journal(tmp_path, about)
