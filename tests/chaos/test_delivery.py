"""Deliveries to an API that misbehaves, by senders that are killed: every row once, none lost.

`HEADRACE_TEST_DELIVERY_ROWS` says how many rows; 1,500 unless told.
"""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from service import crash
from tests.delivery.api import FAULTS, Api, serving
from tests.delivery.building import a_config, a_csv, the_report

ROWS = int(os.environ.get("HEADRACE_TEST_DELIVERY_ROWS", "1500"))
KILLS = 4
IN_FLIGHT = 8
MISBEHAVING = {
    **dict.fromkeys(FAULTS, 0.02),
    "hang": 4 / ROWS,
    "ask to wait": 4 / ROWS,
}
SETTINGS: dict[str, Any] = {
    "timeout": 1,
    "retry_attempts": 8,
    "backoff_factor": 0.01,
    "max_concurrent_requests": IN_FLIGHT,
    "breaker_failures": 30,
    "breaker_pause": 0.1,
}


def command(file: Path, config: Path) -> list[str]:
    words = ["service.cli", "deliver", str(file), "--config", str(config)]
    return [sys.executable, "-m", *words]


def run(file: Path, config: Path, **environ: str) -> int:
    """Deliver; the exit code."""
    settings = {**os.environ, **environ}
    return subprocess.run(
        command(file, config), env=settings, capture_output=True, timeout=3000
    ).returncode


def kill_on_its_way(file: Path, config: Path, api: Api, rows: int) -> bool:
    """Kill -9 a delivery when so many rows more have been asked for; False if it ended before."""
    until = api.requests + rows
    with subprocess.Popen(command(file, config), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and api.requests < until:
            api.another.wait(0.05)
            api.another.clear()
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def deliver_with_kills(file: Path, config: Path, api: Api, dice: random.Random) -> int:
    """How often it was killed before it was let go on to its end."""
    share = max(1, ROWS // (3 * KILLS))
    kills = sum(kill_on_its_way(file, config, api, dice.randint(1, share)) for _ in range(KILLS))
    for _ in range(20):
        if run(file, config) == 0:
            return kills
    raise AssertionError(f"it does not come to its end: {the_report(file)['outcomes']}")


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_every_row_is_created_once_over_kills_by_an_api_that_honours_keys(
    tmp_path: Path, dice: random.Random
):
    file = a_csv(tmp_path, ROWS)
    with serving(Api(faults=MISBEHAVING, keep=False, dice=dice)) as api:
        kills = deliver_with_kills(file, a_config(tmp_path, api, SETTINGS), api, dice)
    assert kills, "nothing was killed: this run proves nothing"
    assert set(FAULTS) - {"hang", "ask to wait"} <= set(api.done)
    assert api.created == Counter({str(n): 1 for n in range(ROWS)})
    assert the_report(file)["outcomes"]["created"] == ROWS


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_an_api_without_keys_is_asked_again_for_no_more_than_was_under_way(
    tmp_path: Path, dice: random.Random
):
    file = a_csv(tmp_path, ROWS // 2)
    with serving(Api(honours_keys=False, keep=False)) as api:
        config = a_config(tmp_path, api, {"max_concurrent_requests": IN_FLIGHT, "timeout": 60})
        kills = deliver_with_kills(file, config, api, dice)
    assert kills, "nothing was killed: this run proves nothing"
    assert len(api.created) == ROWS // 2
    assert sum(api.created.values()) - ROWS // 2 <= kills * IN_FLIGHT


@pytest.mark.chaos
@pytest.mark.parametrize("point", [p for p in crash.POINTS if p.startswith("delivery.")])
def test_a_delivery_that_dies_at_any_point_goes_on_and_its_report_has_every_row(
    point: str, tmp_path: Path
):
    file = a_csv(tmp_path, 60)
    with serving(Api(keep=False)) as api:
        config = a_config(tmp_path, api, SETTINGS)
        assert run(file, config, HEADRACE_CRASH_AT=f"{point}:20") == crash.EXIT_CODE
        assert run(file, config) == 0
    assert api.created == Counter({str(n): 1 for n in range(60)})
    assert [r["row"] for r in sorted(the_report(file)["results"], key=lambda r: r["row"])] == [
        *range(1, 61)
    ]
    assert the_report(file)["outcomes"]["created"] == 60
