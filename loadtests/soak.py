"""`make soak`: a service under steady mixed load for long, and whether anything grows.

What is bounded by a number of events or by time is given small bounds, so that it is full soon: the
near net, the stream's safety margin and its memory of message ids.
"""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table

from loadtests.drawing import BLUE, canvas, cells, document, svg
from loadtests.processes import API_KEY, Subject, allow_many_files, headrace
from loadtests.scenarios.page import verdict_of
from loadtests.scenarios.running import Run, Target, carry_out
from loadtests.scenarios.watching import shown
from loadtests.scenarios.written import found
from loadtests.trend import Trend, trend

BOUNDS = {
    "HEADRACE_DEDUPE_IDS": "100000",
    "HEADRACE_STREAM_KEEP_SECONDS": "30",
    "HEADRACE_DUPLICATE_WINDOW": "60",
    "HEADRACE_DUCKDB_MEMORY": "256MB",
    "PROMETHEUS_ENABLED": "true",
}
TOLERATED = {"resident MB": 0.10, "open files": 0.05, "threads": 0.05, "tasks": 0.10}
"""Growth in an hour that does not matter, as a share of the level."""
ELSE_TOLERATED = 0.20
_SAMPLES = 1200
_MB = 2**20
_GAUGE = re.compile(r"^headrace_(tasks|stream_bytes)(?:{[^}]*})? ([\d.e+]+)$", re.M)
_console = Console(width=None if sys.stdout.isatty() else 120)

Samples = dict[str, list[tuple[float, float]]]


@click.command()
@click.option(
    "--minutes", type=click.FloatRange(min=0.05), default=30.0, show_default=True, help="How long."
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page of HTML with drawings.",
)
@click.option(
    "--json", "kept", type=click.Path(dir_okay=False, path_type=Path), help="Write all samples."
)
def soak(minutes: float, report: Path | None, kept: Path | None) -> None:
    """Run a service of its own under steady mixed load and tell what grows.

    Memory, open files, threads, tasks and the stream are sampled all the while; the first third,
    and two minutes at least, is warming up. Of the rest the table has the slope with its 95 %
    confidence interval. `growing` is what surely grows by more than does not matter, `flat` what
    surely does not, and `unclear` what needs a longer run. Exit code 1 for growth, or when not
    exactly what was sent is counted.

    \b
    For example:
      make soak MINUTES=30
      python -m loadtests soak --minutes 5 --report soak.html --json soak.json
    """  # fmt: skip
    allow_many_files()
    run, samples = _soaked(minutes * 60)
    trends = {name: trend(values) for name, values in samples.items()}
    _console.print(_table(trends))
    if kept:
        told = {"seconds": minutes * 60, "samples": samples, "trends": trends, "run": run}
        kept.write_bytes(msgspec.json.encode(told) + b"\n")
    if report:
        report.write_text(_page(run, samples, trends), "utf-8")
    good = run.verdict.good and "growing" not in _verdicts(trends).values()
    color = "green" if good else "red"
    _console.print(verdict_of(run), style=color, soft_wrap=True, highlight=False, markup=False)
    sys.exit(0 if good else 1)


def _soaked(seconds: float) -> tuple[Run, Samples]:
    path = found("soak")
    screen = shown(_console, "soak", seconds)
    with _folder() as folder, headrace(folder, **BOUNDS) as service:
        return asyncio.run(_sampled(service, path, screen, seconds))


async def _sampled(
    service: Subject, path: Path, screen: Any, seconds: float
) -> tuple[Run, Samples]:
    samples: Samples = {}
    sampling = asyncio.create_task(_sample(service, samples, max(0.5, seconds / _SAMPLES)))
    try:
        target = Target(service.url, [API_KEY])
        return await carry_out(path, target, screen, seconds), samples
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


async def _sample(service: Subject, samples: Samples, pause: float) -> None:
    began = time.monotonic()
    async with httpx2.AsyncClient(trust_env=False) as http:
        while True:
            told = (await http.get(f"{service.url}/-/metrics")).text
            found = {name: float(value) for name, value in _GAUGE.findall(told)}
            values = {
                "resident MB": service.resident / _MB,
                "open files": service.open_files,
                "threads": service.threads,
                "tasks": found["tasks"],
                "stream MB": found["stream_bytes"] / _MB,
            }
            for name, value in values.items():
                samples.setdefault(name, []).append((time.monotonic() - began, float(value)))
            await asyncio.sleep(pause)


def _verdicts(trends: Mapping[str, Trend | None]) -> dict[str, str]:
    return {
        name: one.verdict(TOLERATED.get(name, ELSE_TOLERATED)) if one else "unclear"
        for name, one in trends.items()
    }


_HEADINGS = ("", "level", "in an hour", "95 % sure", "verdict")


def _rows(trends: Mapping[str, Trend | None]) -> list[tuple[str, ...]]:
    verdicts = _verdicts(trends)
    return [
        (name, f"{one.level:,.1f}", f"{one.slope:+,.1f}", f"{one.least:+,.1f} … {one.most:+,.1f}",
         verdicts[name])
        if one else (name, "", "", "", "unclear")
        for name, one in trends.items()
    ]  # fmt: skip


def _table(trends: Mapping[str, Trend | None]) -> Table:
    table = Table(title="soak")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right" if heading else "left")
    for row in _rows(trends):
        table.add_row(*row)
    return table


def _page(run: Run, samples: Samples, trends: Mapping[str, Trend | None]) -> str:
    drawing, plots = canvas(len(samples))
    for axes, (name, values) in zip(plots, samples.items(), strict=True):
        axes.plot(*zip(*values, strict=True), color=BLUE)
        axes.set(ylabel=name, ylim=(0, None))
    plots[-1].set(xlabel="seconds")
    grown = [name for name, verdict in _verdicts(trends).items() if verdict == "growing"]
    said = f"growing: {', '.join(grown)}; " if grown else "nothing grows; "
    verdict = said + verdict_of(run), run.verdict.good and not grown
    parts = {"Trends": cells(_HEADINGS, _rows(trends)), "Samples": svg(drawing)}
    return document("soak", run.about, verdict, parts)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="headrace-soak-") as folder:
        yield Path(folder) / "data"
