"""The clock of the machine jumps, and nothing is lost or counted twice."""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.clients import Load
from tests.chaos.judge import assert_counted_once
from tests.chaos.tally import struck

LIBRARY = Path(sys.prefix) / "lib" / "libfaketimeMT.so.1"
JUMPS = (3600, -6 * 3600, 20 * 3600, 0)
"""Seconds off the real time; what is sent may be half a day in the future."""


@pytest.mark.skipif(not LIBRARY.exists(), reason="libfaketime could not be fetched")
def test_a_clock_that_jumps_forth_and_back_loses_and_doubles_nothing(new_service, seed, tmp_path):
    off = tmp_path / "off"
    off.write_text("+0")
    service = new_service(
        LD_PRELOAD=LIBRARY,
        FAKETIME_TIMESTAMP_FILE=off,
        FAKETIME_CACHE_DURATION=1,
        FAKETIME_DONT_FAKE_MONOTONIC=1,
    ).start()
    load = Load(service, seed)
    with load:
        for seconds in JUMPS:
            load.wait_for_more(300)
            off.write_text(f"{seconds:+}")
            wait_until_it_jumped(service, timedelta(seconds=seconds))
            struck("embedded", "clock shifted")
        load.wait_for_more(300)
    assert_counted_once(service, load.ledger)


def wait_until_it_jumped(service, off: timedelta) -> None:
    """Return when the service believes in another time."""
    deadline = time.monotonic() + 60
    while abs(clock_of(service) - off) > timedelta(minutes=30):
        assert time.monotonic() < deadline, f"the clock did not jump by {off}"
        time.sleep(0.05)


def clock_of(service) -> timedelta:
    """How far the service's clock is ahead of ours."""
    told = service.get("/api/v1/events/stats").json()["data"]["timestamp"]
    return datetime.fromisoformat(told) - datetime.now(UTC)
