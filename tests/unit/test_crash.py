"""Crash points: where a test makes the process die."""

import subprocess
import sys

import pytest

from service import crash
from service.errors import SettingsError

PROGRAM = """
from service import crash
crash.arm({where!r})
for _ in range(3):
    crash.point("writer.before_commit")
    print("passed", flush=True)
"""


def died_after(where: str) -> tuple[int, int]:
    """The exit code, and how often the point was passed."""
    program = [sys.executable, "-c", PROGRAM.format(where=where)]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout.count("passed")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", (0, 3)),
        ("writer.after_commit", (0, 3)),
        ("writer.before_commit", (crash.EXIT_CODE, 0)),
        ("writer.before_commit:3", (crash.EXIT_CODE, 2)),
    ],
)
def test_the_process_dies_at_the_point_named_the_nth_time(where, expected):
    assert died_after(where) == expected


@pytest.mark.parametrize("where", ["nowhere", "writer.before_commit:x", "writer.before_commit:²"])
def test_a_name_that_is_no_point_is_refused(where):
    with pytest.raises(SettingsError, match=r"writer\.before_commit"):
        crash.arm(where)
