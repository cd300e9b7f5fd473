"""`python -m loadtests run` and `python -m loadtests list`."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console

from loadtests.processes import API_KEY, Failed, allow_many_files, command, headrace
from loadtests.scenarios.page import page, table, verdict_of
from loadtests.scenarios.running import DidNotRun, Run, Target, carry_out, read
from loadtests.scenarios.watching import shown
from loadtests.scenarios.written import Scenario, WrongScenario, found, provided, span
from service.errors import HeadraceError

WRONG_CALL = 2
_console = Console(width=None if sys.stdout.isatty() else 120)
_errors = Console(stderr=True, soft_wrap=True, highlight=False)


@click.command()
@click.argument("scenario")
@click.option(
    "--url", help="The service to send to. Default: one of its own, in a folder that goes."
)
@click.option(
    "--key", "keys", multiple=True, help="Its API key; as many times as there are tenants."
)
@click.option("--duration", help="Another time than the scenario's: 10s, 5m, 2h.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Another one: events a second."
)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a page of HTML."
)
@click.option(
    "--json", "kept", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures."
)
def run(
    scenario: str,
    url: str | None,
    keys: tuple[str, ...],
    duration: str | None,
    rate: float | None,
    report: Path | None,
    kept: Path | None,
) -> None:
    """Send the traffic of a SCENARIO, and check that all of it is counted once.

    SCENARIO is a file, or the name of one that comes with this (`python -m loadtests list`).
    Requests are due at fixed moments, whatever the service does (open loop), and their latency
    counts from then: a service that stands still is charged with all that it holds up. What is
    refused or lost is sent again. At the end the events of the run are counted by the service's own
    metrics; exit code 0 means that exactly what was sent is counted, 1 that it is not, 2 that
    nothing could be run.

    \b
    For example:
      python -m loadtests run steady
      python -m loadtests run bursts --duration 1m --report bursts.html
      python -m loadtests run steady --url http://127.0.0.1:8080 --key "$key"
      python -m loadtests run mine.toml --url https://events.example.com --key "$key"

    \b
    A scenario is a few lines of TOML:
      about = "Steady traffic, two in a hundred sent again"
      duration = "30s"
      [events]
      rate = 5000              # a second; or: recording = "day.ndjson.zst" and speed = 60
      batch = 200              # in one request
      arrivals = "poisson"     # or "even"
      [repeats]
      share = 0.02             # sent again under the same id
      [late]
      share = 0.05             # happened before they are sent,
      by = "2h"                # by so much at most
      [bursts]
      every = "10s"
      lasts = "2s"
      times = 5
      [tenants]
      count = 4
      skew = 1.2               # the n-th has 1/n^1.2 of the first one's traffic
      [[reads]]
      path = "/api/v1/analytics/metrics?timeRange=1h"
      rate = 5

    Every field is in docs/loadtests.md.
    """
    allow_many_files()
    try:
        length = None if duration is None else float(span(duration))
        path = found(scenario)
        done = _carried_out(path, read(path, length, rate), url, keys, length, rate)
    except (WrongScenario, DidNotRun, HeadraceError, Failed, OSError, ValueError) as error:
        _errors.print(f"[red]not run:[/red] {_escaped(error)}")
        sys.exit(WRONG_CALL)
    _console.print(table(done))
    if report:
        report.write_text(page(done), "utf-8")
        _console.print(f"written to {report}", soft_wrap=True)
    if kept:
        kept.write_bytes(msgspec.json.format(msgspec.json.encode(done), indent=1) + b"\n")
    color = "green" if done.verdict.good else "red"
    _console.print(verdict_of(done), style=color, soft_wrap=True, highlight=False, markup=False)
    sys.exit(0 if done.verdict.good else 1)


@click.command("list")
def list_() -> None:
    """The scenarios that come with this, and what each of them shows."""
    for name, path in provided().items():
        _console.print(f"[bold]{name:<10}[/bold] {read(path).about}", soft_wrap=True)


def _carried_out(
    path: Path,
    scenario: Scenario,
    url: str | None,
    keys: tuple[str, ...],
    duration: float | None,
    rate: float | None,
) -> Run:
    """A run against the service that is named, or against one of its own."""
    count = scenario.tenants.count
    screen = shown(_console, f"{path.stem}: {scenario.about}", scenario.duration)
    if url is None:
        with own_service(count) as target:
            return asyncio.run(carry_out(path, target, screen, duration, rate))
    if len(keys) < count:
        raise WrongScenario(
            f"{path} has {count} tenants: name --key {count} times, not {len(keys)}"
        )
    if not url.startswith(("http://", "https://")):
        raise WrongScenario(f"--url must begin with http:// or https://, not be {url}")
    return asyncio.run(carry_out(path, Target(url, keys), screen, duration, rate))


@contextmanager
def own_service(tenants: int) -> Iterator[Target]:
    """A service with so many environments, in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="headrace-load-") as folder:
        data = Path(folder) / "data"
        with headrace(data) as service:
            keys = [API_KEY, *(_new_key(data, number) for number in range(2, tenants + 1))]
            yield Target(service.url, keys)


def _new_key(data: Path, number: int) -> str:
    """The key of a new environment."""
    name = f"load-{number}"
    command(data, "envs", "create", name, "--tier", "enterprise")
    made = command(data, "keys", "create", "--name", name, "--environment", name)
    return made.split()[-1]


def _escaped(error: Exception) -> str:
    return str(error).replace("[", "\\[")
