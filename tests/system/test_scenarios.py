"""`python -m loadtests run` as a load tester runs it: what is sent is counted, or it says so."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
EVERYTHING = """
about = "A little of everything <b>"
duration = "3s"
[events]
rate = 400
batch = 20
arrivals = "poisson"
[repeats]
share = 0.2
[late]
share = 0.2
by = "2h"
[bursts]
every = "2s"
lasts = "500ms"
times = 3
[tenants]
count = 2
skew = 1.0
[[reads]]
path = "/api/v1/analytics/metrics?timeRange=1h"
rate = 5
"""
STEADY = 'about = "A while"\nduration = "4s"\n[events]\nrate = 200\nbatch = 20\n'


@pytest.fixture
def scenario(tmp_path):
    def written(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return written


def loadtest(*arguments: object, command: str = "run") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "loadtests", command, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    told, _ = process.communicate(timeout=400)
    return process.returncode, told


@pytest.mark.timeout(420)
def test_all_that_a_scenario_can_have_is_counted_and_reported_on_one_page(scenario, tmp_path):
    report, kept = tmp_path / "report.html", tmp_path / "run.json"
    path = scenario(EVERYTHING)
    code, told = ended(loadtest(path, "--report", report, "--json", kept))
    assert code == 0, told
    assert "reconciled" in told
    run = msgspec.json.decode(kept.read_bytes())
    for tenant in run["verdict"]["tenants"]:
        assert tenant["sent"] > tenant["distinct"] == tenant["counted"] > 0
    [read] = run["outcome"]["reads"].values()
    assert read["count"] > 0
    page = report.read_text()
    assert "A little of everything &lt;b&gt;" in page
    assert page.count("<svg") == 2
    assert not re.search(r"<(script|link|img|iframe)|@import|src=|url\(['\"]?http", page)


@pytest.mark.timeout(420)
def test_a_service_that_is_killed_and_comes_back_is_still_sent_and_counts_everything_once(
    new_service, scenario
):
    service = new_service().start()
    running = loadtest(scenario(STEADY), "--url", service.base_url, "--key", service.api_key)
    while service.get("/api/v1/events/stats").json()["data"]["totalIngested"] < 100:
        time.sleep(0.05)
    assert service.kill() == -signal.SIGKILL
    service.start()
    code, told = ended(running)
    assert code == 0, told
    assert "800 distinct = 800 counted" in told


@pytest.mark.timeout(420)
def test_a_service_that_loses_what_it_acknowledged_is_found_out(new_service, scenario):
    service = new_service(PYTHONPATH=ROOT)
    service.command = [sys.executable, "-m", "tests.chaos.broken", "mark-first"]
    service.start()
    code, told = ended(
        loadtest(scenario(STEADY), "--url", service.base_url, "--key", service.api_key)
    )
    assert code == 1, told
    assert "NOT RECONCILED" in told
    assert "acknowledged and not counted" in told


def test_a_wrong_key_is_told_before_anything_is_sent(running_service, scenario):
    path = scenario(STEADY)
    code, told = ended(loadtest(path, "--url", running_service.base_url, "--key", "evp_wrong"))
    assert code == 2
    assert "not run" in told


@pytest.mark.timeout(420)
def test_a_soak_samples_the_service_and_says_that_it_was_too_short_to_tell(tmp_path):
    kept = tmp_path / "soak.json"
    process = loadtest("--minutes", 0.05, "--json", kept, command="soak")
    code, told = ended(process)
    assert code == 0, told
    assert told.count("unclear") == 5
    samples = msgspec.json.decode(kept.read_bytes())["samples"]
    assert all(value > 0 for series in samples.values() for _, value in series)
    assert set(samples) == {"resident MB", "open files", "threads", "tasks", "stream MB"}
