"""`python -m loadtests run SCENARIO`; and `make bench`: without a command, `--quick`, `--full`."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import rich_click as click
from rich.console import Console

from loadtests import figures, report
from loadtests.asked import beside_peer, by_hand, queries, realtime
from loadtests.clickhouse import clickhouse
from loadtests.deliveries import deliveries
from loadtests.figures import Figure
from loadtests.filled import fill
from loadtests.freshness import freshness
from loadtests.idle import idle
from loadtests.ingestion import LEAST_EVENTS, SUSTAINED, batches, singles
from loadtests.live import live
from loadtests.overload import overload
from loadtests.piped import piped
from loadtests.processes import Failed, allow_many_files, headrace
from loadtests.questions import cached, pollers, uncached
from loadtests.scale import SCALES, Scale
from loadtests.scenarios.command import list_, run
from loadtests.shared import shared
from loadtests.signed import signed
from loadtests.soak import soak

_Found = TypeVar("_Found")

_console = Console(width=None if sys.stdout.isatty() else 160)


@click.group(invoke_without_command=True)
@click.option("--smoke", "scale", flag_value="smoke", help="Seconds; shows only that it works.")
@click.option("--quick", "scale", flag_value="quick", help="Two minutes; rough, a million events.")
@click.option("--full", "scale", flag_value="full", help="30 M events at full speed; a while.")
@click.option(
    "--only",
    type=click.Choice(["in", "out", "clickhouse", "pipelines", "deliveries"]),
    help="Events in, answers out, events into ClickHouse, pipelines or deliveries, alone.",
)
@click.pass_context
def main(context: click.Context, scale: str | None, only: str | None) -> None:
    """Send the traffic of a scenario to any service (`run`), or measure all there is (make bench).

    Without a command: measure the service on this machine, everything on loopback, in temporary
    directories. The run as such and `--full` are kept in loadtests/results/ and written to
    docs/performance.md; `--quick` and `--smoke` only print.
    """
    if context.invoked_subcommand is None:
        _bench(scale, only)


main.add_command(run)
main.add_command(list_)
main.add_command(soak)


def _bench(scale: str | None, only: str | None) -> None:
    allow_many_files()
    chosen = SCALES[scale or "standard"]
    began = time.monotonic()
    try:
        found = asyncio.run(_measure(chosen, only))
    except Failed as error:
        _console.print(f"[red]failed:[/red] {error}")
        sys.exit(1)
    command = "make bench" + (f' ARGS="--{scale}"' if scale else "")
    results = figures.results(command, chosen.name, time.monotonic() - began, found)
    before = figures.latest("standard" if chosen.name in ("quick", "smoke") else chosen.name)
    _console.print(report.table(results, before))
    if scale in (None, "full") and only is None:
        kept = figures.keep(results)
        report.PAGE.write_text(report.page(results, before))
        _console.print(f"kept in loadtests/results/{kept.name}, written to docs/performance.md")


async def _measure(scale: Scale, only: str | None) -> list[Figure]:
    found: list[Figure] = []
    if only in (None, "in"):
        found += await _events_in(scale)
    maximum = _maximum(found)
    if only in (None, "out"):
        found += await _answers_out(scale, maximum)
    if only in (None, "clickhouse"):
        found += await _into_clickhouse(scale)
    if only in (None, "pipelines"):
        found += await _through_pipelines(scale)
    if only in (None, "deliveries"):
        found += await _told("deliveries", lambda: deliveries(scale))
    return found


async def _events_in(scale: Scale) -> list[Figure]:
    with _folder() as folder, headrace(folder) as service:
        return [
            *await _told("single events", lambda: singles(scale, service)),
            *(sent := await _told("batches", lambda: batches(scale, service))),
            *await _told("signed batches", lambda: signed(scale, service, folder)),
            *await _told("freshness", lambda: freshness(scale, service, _maximum(sent))),
            *await _told("live answers", lambda: live(scale, service)),
            *await _told("overload", lambda: overload(scale, service, _maximum(sent))),
        ]


async def _answers_out(scale: Scale, maximum: float) -> list[Figure]:
    with _folder() as folder:
        await _told(f"storing {scale.rows:,} events", lambda: fill(folder, scale.rows))
        best = await asyncio.to_thread(by_hand, folder, scale)
        with headrace(folder) as service:
            found = [
                *await _told("queries", lambda: queries(scale, service, best)),
                *await _told("cached answers", lambda: cached(scale, service)),
                *await _told("pollers", lambda: pollers(scale, service)),
                *await _told("idle connections", lambda: idle(scale, service)),
                *await _told("uncached", lambda: uncached(scale, service, maximum)),
                *await _told("realtime", lambda: realtime(scale, service, maximum / 2)),
            ]
        found += await _told("beside a peer", lambda: beside_peer(scale))
        return [*found, *await _told("beside Redis", lambda: shared(scale, folder.parent))]


async def _into_clickhouse(scale: Scale) -> list[Figure]:
    with _folder() as folder:
        return await _told("events into ClickHouse", lambda: clickhouse(scale, folder))


async def _through_pipelines(scale: Scale) -> list[Figure]:
    with _folder() as folder:
        return await _told("records through a pipeline", lambda: piped(scale, folder))


@contextmanager
def _folder() -> Iterator[Path]:
    """A data directory for one service."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        yield Path(folder) / "data"


async def _told(what: str, measure: Callable[[], Awaitable[_Found]]) -> _Found:
    with _console.status(what):
        began = time.monotonic()
        found = await measure()
    _console.print(f"{what}: {time.monotonic() - began:.0f} s", style="dim")
    return found


def _maximum(found: list[Figure]) -> float:
    """The highest load of this run, or of the last one kept, in events a second."""
    before = figures.latest("standard")
    rates = (f.value for f in [*found, *(before.figures if before else ())] if f.name == SUSTAINED)
    return next(rates, LEAST_EVENTS)


if __name__ == "__main__":
    main()
