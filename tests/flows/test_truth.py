"""The truth test: the flights of 2013 through the public API, against the file they come from."""

import asyncio
import csv
import io
import json
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from importlib.resources import files
from typing import Any

import pytest
import zstandard
from rich.console import Console

from service.demo import lines_to_try
from service.replay import ReplayOptions, Report, replay
from tests.running import RunningService

pytestmark = pytest.mark.timeout(400)

YEAR = {"start": "2013-01-01T00:00:00Z", "end": "2014-01-02T00:00:00Z"}
FLIGHTS = 336_776
CANCELLED = 8_255
CARRIERS = {"UA": 58_665, "B6": 54_635, "EV": 54_173, "DL": 48_110, "AA": 32_729}


def replayed(service: RunningService) -> Report:
    console = Console(file=io.StringIO())
    times_kept = ReplayOptions()
    return asyncio.run(
        replay(["flights-2013"], times_kept, service.base_url, service.api_key, console)
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service of its own into which the recording was replayed once, with original times."""
    running = RunningService(tmp_path_factory.mktemp("truth") / "data")
    try:
        assert replayed(running.start()).exit_code == 0
        yield running
    finally:
        running.clean_up()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The recording as the standard library reads it, nothing of ours between."""
    packed = (files("service.recordings") / "flights_2013.csv.zst").read_bytes()
    return list(csv.DictReader(io.StringIO(zstandard.decompress(packed).decode())))


def metrics(service: RunningService, **filters: Any) -> Any:
    answer = service.get("/api/v1/analytics/metrics", **YEAR, limit=100, **filters)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def numbers(service: RunningService, **question: Any) -> dict[str, Any]:
    answer = service.get("/api/v1/analytics/numbers", **YEAR, **question)
    assert answer.status_code == 200, answer.text
    return {row["key"]: row for row in answer.json()["data"]["rows"]}


def by_carrier(service: RunningService, event_type: str) -> dict[str, int]:
    users = metrics(service, eventType=event_type)["topUsers"]
    return {user["userId"]: user["eventCount"] for user in users}


def test_departures_and_cancellations_are_the_known_number_of_flights(
    service: RunningService,
) -> None:
    departed = metrics(service, eventType="departed")["totalEvents"]
    cancelled = metrics(service, eventType="cancelled")["totalEvents"]
    assert cancelled == CANCELLED
    assert departed + cancelled == FLIGHTS


def test_each_carrier_has_the_known_number_of_flights(service: RunningService) -> None:
    departed, cancelled = by_carrier(service, "departed"), by_carrier(service, "cancelled")
    flights = {c: n + cancelled.get(c, 0) for c, n in departed.items()}
    assert {carrier: flights[carrier] for carrier in CARRIERS} == CARRIERS
    assert sum(flights.values()) == FLIGHTS


def test_the_blocks_of_the_answer_add_up_to_the_file(
    service: RunningService, rows: list[dict[str, str]]
) -> None:
    answer = metrics(service)
    types = {entry["eventType"]: entry["count"] for entry in answer["eventsByType"]}
    arrived = sum(bool(row["arr_time"]) for row in rows)
    assert types == {"departed": FLIGHTS - CANCELLED, "arrived": arrived, "cancelled": CANCELLED}
    assert answer["totalEvents"] == sum(types.values())
    assert sum(bucket["count"] for bucket in answer["eventsOverTime"]) == answer["totalEvents"]
    assert sum(user["eventCount"] for user in answer["topUsers"]) == answer["totalEvents"]
    assert answer["uniqueUsers"] == len({row["carrier"] for row in rows})
    assert answer["uniqueSessions"] == len({row["tailnum"] for row in rows})


@pytest.mark.parametrize("name", ["dep_delay", "arr_delay"])
def test_delays_by_carrier_equal_an_exact_computation_from_the_file(
    service: RunningService, rows: list[dict[str, str]], name: str
) -> None:
    delays: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row[name]:
            delays[row["carrier"]].append(int(row[name]))
    answered = numbers(service, name=name, by="userId")
    assert answered.keys() == delays.keys()
    for carrier, kept in delays.items():
        row_answered = answered[carrier]
        assert row_answered["count"] == len(kept)
        assert row_answered["sum"] == sum(kept)
        assert row_answered["avg"] == pytest.approx(float(Fraction(sum(kept), len(kept))), 1e-12)
        assert (row_answered["min"], row_answered["max"]) == (min(kept), max(kept))


def test_a_day_of_local_time_holds_the_flights_of_that_day(
    service: RunningService, rows: list[dict[str, str]]
) -> None:
    longest_day = {"start": "2013-11-03T00:00:00-04:00", "end": "2013-11-04T00:00:00-05:00"}
    answer = service.get("/api/v1/analytics/metrics", **longest_day, eventType="cancelled")
    expected = sum((row["month"], row["day"], row["dep_delay"]) == ("11", "3", "") for row in rows)
    assert answer.json()["data"]["totalEvents"] == expected > 0


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_lines_that_the_demo_prints_work_as_they_are(service: RunningService) -> None:
    lines = lines_to_try(service.base_url, service.api_key, original_times=True)
    for line in [shlex.split(line) for line in lines if line.startswith("curl ")][1:]:
        answer = subprocess.run([*line, "-s"], capture_output=True, check=True)
        assert json.loads(answer.stdout)["success"]


def test_replaying_everything_again_changes_no_total(service: RunningService) -> None:
    before = metrics(service)
    report = replayed(service)
    after = metrics(service)
    assert (report.tally.accepted, report.exit_code) == (0, 0)
    for block in ("totalEvents", "eventsByType", "topUsers", "eventsOverTime"):
        assert after[block] == before[block]


def test_after_a_restart_a_third_replay_changes_no_total_either(service: RunningService) -> None:
    before = metrics(service)["totalEvents"]
    service.kill()
    service.start()
    assert replayed(service).exit_code == 0
    assert metrics(service)["totalEvents"] == before
