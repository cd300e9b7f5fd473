"""The note by which the command line finds the running service."""

import os

import pytest

from service import running
from service.errors import NotRunning
from service.running import Running

HERE = Running("http://127.0.0.1:8000", os.getpid(), "token")


def test_what_was_written_is_read(tmp_path):
    running.write(tmp_path, HERE)
    assert running.read(tmp_path) == HERE


def test_the_note_is_for_its_owner_alone(tmp_path):
    running.write(tmp_path, HERE)
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600


def test_a_note_left_by_a_dead_process_counts_as_none(tmp_path):
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(child, 0)
    running.write(tmp_path, Running("http://127.0.0.1:8000", child, "token"))
    with pytest.raises(NotRunning, match="headrace up"):
        running.read(tmp_path)


@pytest.mark.parametrize("torn", [b"", b'{"url": "http', b"[]"])
def test_a_torn_note_counts_as_none(tmp_path, torn):
    (tmp_path / "run.json").write_bytes(torn)
    with pytest.raises(NotRunning):
        running.read(tmp_path)


def test_a_process_takes_away_only_its_own_note(tmp_path):
    running.write(tmp_path, HERE)
    running.remove(tmp_path, HERE.pid + 1)
    assert running.read(tmp_path) == HERE
    running.remove(tmp_path, HERE.pid)
    assert list(tmp_path.iterdir()) == []


def test_removing_where_there_is_nothing_is_no_error(tmp_path):
    running.remove(tmp_path, HERE.pid)
    assert list(tmp_path.iterdir()) == []


def test_the_api_and_a_worker_leave_a_note_each(tmp_path):
    with pytest.raises(NotRunning):
        running.read_all(tmp_path)
    worker = Running("http://127.0.0.1:9464", os.getpid(), "")
    running.write(tmp_path, HERE)
    running.write(tmp_path, worker, running.WORKER)
    assert running.read_all(tmp_path) == [HERE, worker]
    running.remove(tmp_path, HERE.pid)
    assert running.read_all(tmp_path) == [worker]
