"""`headrace replay`: what it sends, what it says, and that it notices what was not counted."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from service.errors import InvalidInput, Unreachable
from service.replay import ReplayOptions, Report, replay
from tests.events_face import LOSE_THE_ANSWER, EventsFace, serving

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)


class Replays:
    """Replays into a stand-in for the events face and keeps what was printed."""

    def __init__(self, url: str, face: EventsFace) -> None:
        self.url = url
        self.face = face
        self.printed = ""

    async def __call__(self, *paths: Path, **options: Any) -> Report:
        out = io.StringIO()
        console = Console(file=out, width=120)
        report = await replay(paths, ReplayOptions(**options), self.url, "k", console)
        self.printed = out.getvalue()
        return report


@pytest.fixture
async def replays() -> AsyncIterator[Replays]:
    face = EventsFace()
    async with serving(face) as url:
        yield Replays(url, face)


def a_file(folder: Path, events: int = 10, **fields: Any) -> Path:
    """Events a minute apart, with the ids e0, e1…"""
    path = folder / "events.ndjson"
    usual = {"eventType": "click", "userId": "ada", "sessionId": "s1"}
    lines = [
        usual | {"eventId": f"e{n}", "timestamp": BEGIN + timedelta(minutes=n)} | fields
        for n in range(events)
    ]
    path.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n")
    return path


def with_line(path: Path, line: str) -> Path:
    path.write_text(path.read_text() + line + "\n")
    return path


async def test_everything_is_sent_in_batches_and_counted(replays: Replays, tmp_path: Path) -> None:
    report = await replays(a_file(tmp_path, 10), batch=4)
    assert list(replays.face.events) == [f"e{n}" for n in range(10)]
    assert [len(msgspec.json.decode(b)["events"]) for b in replays.face.bodies] == [4, 4, 2]
    assert (report.tally.sent, report.tally.accepted, report.exit_code) == (10, 10, 0)
    assert "counted: 10 new" in replays.printed


async def test_on_a_terminal_it_draws_a_bar(replays: Replays, tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, legacy_windows=False)
    await replay([a_file(tmp_path)], ReplayOptions(), replays.url, "k", console)
    assert "10/10" in out.getvalue()
    assert "events/s" in out.getvalue()


async def test_a_second_replay_counts_nothing_and_is_right(
    replays: Replays, tmp_path: Path
) -> None:
    path = a_file(tmp_path)
    await replays(path)
    report = await replays(path)
    assert (report.tally.accepted, report.tally.duplicates, report.exit_code) == (0, 10, 0)
    assert "0 new, all 10 were counted already" in replays.printed


async def test_repeat_sends_the_same_ids_again(replays: Replays, tmp_path: Path) -> None:
    report = await replays(a_file(tmp_path), repeat=3)
    assert (report.tally.sent, report.tally.accepted, report.tally.duplicates) == (30, 10, 20)
    assert report.exit_code == 0


async def test_a_lost_answer_is_no_false_alarm(replays: Replays, tmp_path: Path) -> None:
    replays.face.failures = [LOSE_THE_ANSWER]
    report = await replays(a_file(tmp_path), batch=5)
    assert (report.tally.accepted, report.tally.duplicates, report.exit_code) == (5, 5, 0)


@pytest.mark.parametrize("error", [-1, 1])
async def test_a_service_that_miscounts_is_found_out(
    replays: Replays, tmp_path: Path, error: int
) -> None:
    replays.face.counted = lambda stored: stored + error if stored else 0
    report = await replays(a_file(tmp_path))
    assert report.exit_code == 1
    assert f"WRONG: the service counts {10 + error} new events" in replays.printed


async def test_repeats_that_only_the_writer_recognised_are_explained_by_receipts(
    replays: Replays, tmp_path: Path
) -> None:
    replays.face.counted = lambda stored: max(0, stored - 3)
    replays.face.stored = lambda taken: taken - 3
    report = await replays(a_file(tmp_path))
    assert report.exit_code == 0
    assert "counted: 7 new, 3 known already" in replays.printed


async def test_repeats_are_explained_beside_those_that_the_door_told_of(
    replays: Replays, tmp_path: Path
) -> None:
    await replays(path := a_file(tmp_path, 4))
    with_line(path, '{"timestamp": "2030-01-01", "userId": "ada", "eventId": "repeat"}')
    replays.face.counted = lambda stored: min(stored, 4)
    replays.face.stored = lambda taken: 0
    report = await replays(path)
    assert (report.tally.accepted, report.tally.duplicates, report.exit_code) == (1, 4, 0)


async def test_lines_that_are_no_event_are_listed_and_stop_nothing(
    replays: Replays, tmp_path: Path
) -> None:
    path = with_line(with_line(a_file(tmp_path, 2), "garbage"), '{"timestamp": "soon"}')
    report = await replays(path)
    assert (len(replays.face.events), report.tally.rejected, report.exit_code) == (2, 2, 0)
    assert f"rejected {path}:3: JSON is malformed" in replays.printed
    assert f"rejected {path}:4: timestamp 'soon' is not an ISO 8601 time" in replays.printed


async def test_refused_rows_are_listed_with_their_lines_the_first_ten(
    replays: Replays, tmp_path: Path
) -> None:
    report = await replays(path := a_file(tmp_path, 12, userId="bad"), batch=5)
    assert (report.tally.rejected, report.tally.accepted) == (12, 0)
    assert f"rejected {path}:6: bad user" in replays.printed
    assert replays.printed.count("rejected /") == 10
    assert "and 2 more rejected rows" in replays.printed


@pytest.mark.parametrize("bad", ["garbage", '{"timestamp": "2030-01-01", "userId": "bad"}'])
async def test_strict_stops_at_the_first_bad_row(
    replays: Replays, tmp_path: Path, bad: str
) -> None:
    path = with_line(a_file(tmp_path, 2), bad)
    with_line(path, '{"timestamp": "2030-01-01", "userId": "ada", "eventId": "after"}')
    report = await replays(path, strict=True, batch=1, concurrency=1)
    assert report.exit_code == 1
    assert "after" not in replays.face.events
    assert f"stopped: {path}:3:" in replays.printed


async def test_shift_to_now_moves_all_times_alike_and_keeps_the_ids(
    replays: Replays, tmp_path: Path
) -> None:
    before = datetime.now(UTC)
    await replays(a_file(tmp_path, 3), shift_to_now=True)
    times = {i: datetime.fromisoformat(e["timestamp"]) for i, e in replays.face.events.items()}
    assert before - timedelta(milliseconds=1) <= times["e2"] <= datetime.now(UTC)
    assert times["e2"] - times["e0"] == timedelta(minutes=2)


async def test_several_files_go_one_after_the_other(replays: Replays, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    report = await replays(a_file(folders[0], 3), a_file(folders[1], 5))
    assert (report.tally.sent, len(replays.face.events), report.exit_code) == (8, 5, 0)


async def test_ctrl_c_ends_it_with_its_table_and_check(replays: Replays, tmp_path: Path) -> None:
    path = a_file(tmp_path, 1000)
    run = asyncio.create_task(replays(path, rate=20, batch=1))
    while not replays.face.events:
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
    report = await run
    assert report.interrupted
    assert report.exit_code == 130
    assert 0 < report.tally.sent < 1000
    assert f"interrupted; of what was sent, counted: {report.tally.sent} new" in replays.printed


async def test_a_refusal_midway_ends_it_and_says_what_was_answered(
    replays: Replays, tmp_path: Path
) -> None:
    revoked = {"error": {"code": "INVALID_API_KEY", "message": "the key was revoked"}}
    replays.face.failures = [LOSE_THE_ANSWER, (401, {}, revoked)]
    report = await replays(a_file(tmp_path), batch=5, concurrency=1)
    assert report.exit_code == 1
    assert "stopped: the key was revoked" in replays.printed


async def test_nothing_is_sent_when_a_file_cannot_be_read(replays: Replays, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.ndjson: No such file"):
        await replays(a_file(tmp_path), tmp_path / "gone.ndjson")
    assert replays.face.requests == []


async def test_a_service_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        await Replays("http://127.0.0.1:1", EventsFace())(a_file(tmp_path))
