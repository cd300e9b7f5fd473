"""The bench runs from end to end. What it measures is nobody's business here."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadtests import figures, report
from loadtests.figures import Figure, Results

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(620)
def test_the_bench_measures_the_service_from_end_to_end() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "loadtests", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for section in (
        "Single events",
        "Batches of 500",
        "Signed batches",
        "counted, p50",
        "pushed, p50",
        "times the maximum",
        "304",
        "Uncached 7d",
        "count by day",
        "Realtime window",
        "24 h top 10",
        "beside Redis",
        "ClickHouse: batches",
        "Kafka to the store",
        "headrace deliver",
    ):
        assert section in ran.stdout


def test_a_figure_says_whether_it_reached_its_target() -> None:
    assert a_figure(value=100, target=90).good
    assert not a_figure(value=100, target=90, better="less").good
    assert not a_figure(value=50, limit=100, target_ratio=0.6).good
    assert not a_figure(value=300, limit=100, target_ratio=2, better="less").good
    assert a_figure(value=50).good is None


def test_kept_results_are_compared_with_the_next_ones(tmp_path: Path) -> None:
    kept = results(a_figure(value=80))
    figures.keep(kept, tmp_path)
    before = figures.latest("standard", tmp_path)
    assert before == kept
    assert figures.moved(a_figure(value=100), before) == pytest.approx(0.25)
    assert "+25%" in report.page(results(a_figure(value=100)), before)


def a_figure(**changed: object) -> Figure:
    return Figure(**{"name": "a.b", "about": "A", "value": 1.0, "unit": "ms", **changed})


def results(*found: Figure) -> Results:
    return figures.results("make bench", "standard", 1.0, found)
