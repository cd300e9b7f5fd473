"""A worker of pipelines dies at each of its named points: every record arrives once, in order."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from service.crash import EXIT_CODE, POINTS
from service.stream.nats_child import NatsChild
from tests.piping import a_subscription, an_assignment, rows

RECORDS = 1500
PLACES = [point for point in POINTS if point.startswith("pipeline.")]
WITHIN = 60


@pytest.fixture
async def url(tmp_path):
    child = NatsChild(tmp_path / "stream")
    await child.start()
    yield child.url
    await child.stop()


def a_worker(url, assignment, **environment) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.chaos.pipeline_worker", url]
    said = msgspec.json.encode([assignment]).decode()
    root = Path(__file__).parents[2]
    return subprocess.Popen([*command, said], cwd=root, env={**os.environ, **environment})


def wait_for(holds) -> None:
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def finish(url, assignment, *files) -> None:
    """Have a new worker carry what is left, and end it."""
    worker = a_worker(url, assignment)
    try:
        wait_for(lambda: all(len(rows(file)) >= RECORDS - 1 for file in files))
    finally:
        worker.kill()
        worker.wait()


def two_ways(folder, **more):
    """Into a target that knows how far it is, and into one that tells records apart by a key."""
    knows = a_subscription(folder / "knows", "knows", refuses=77, **more)
    keyed = a_subscription(folder / "keyed", "keyed", knows=False, refuses=77)
    assignment = an_assignment(knows, keyed, records=RECORDS, at_once=100)
    return assignment, (folder / "knows", folder / "keyed")


def assert_whole_but_the_refused(file) -> None:
    found = [(n, key) for _, n, key in rows(file)]
    assert sorted(n for n, _ in found) == [n for n in range(RECORDS) if n != 77]
    for key in range(7):
        mine = [n for n, k in found if k == key]
        assert mine == sorted(mine)


@pytest.mark.parametrize("point", [p for p in PLACES if "purge" not in p])
async def test_nothing_is_lost_or_doubled_when_a_worker_dies(tmp_path, url, point):
    assignment, files = two_ways(tmp_path)
    times = 1 if point == "pipeline.after_aside" else 3
    dying = a_worker(url, assignment, HEADRACE_CRASH_AT=f"{point}:{times}")
    assert dying.wait(WITHIN) == EXIT_CODE
    finish(url, assignment, *files)
    for file in files:
        assert_whole_but_the_refused(file)


async def test_nothing_is_lost_or_doubled_under_kills_at_any_moment(tmp_path, url, dice):
    assignment, files = two_ways(tmp_path)
    for _ in range(4):
        worker = a_worker(url, assignment)
        before = len(rows(files[0]))
        wait_for(lambda n=before: len(rows(files[0])) > n or len(rows(files[0])) >= RECORDS - 1)
        await asyncio.sleep(dice.random() * 0.05)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    finish(url, assignment, *files)
    for file in files:
        assert_whole_but_the_refused(file)
