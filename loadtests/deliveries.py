"""`python -m loadtests.deliveries`: how fast rows are delivered, in how much memory.

`headrace deliver` sends a file to an API on this machine that answers at once, each in a process of
its own. `--plot` instead lets the API become slow, then fail, then be well again, and draws what
the adaptive delay makes of it (docs/adaptive-delay.svg).
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich_click as click
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from loadtests.figures import Figure
from loadtests.processes import Failed
from loadtests.scale import Scale
from service.delivery.config_file import read_config
from service.delivery.job import prepared
from service.delivery.journal import Journal
from service.delivery.run import Delivery, Progress
from service.delivery.sending import Sender

PLOT = Path(__file__).parent.parent / "docs" / "adaptive-delay.svg"
PHASES = ("4:0.02:0", "9:2.1:0", "5:0.02:0.5", "60:0.02:0")
"""Seconds, latency, share of 500s."""
LEAST_ROWS = 10_000
"""A second, to a fast API on the same machine: the target."""
_SECONDS = 27.0
_EVERY = 0.05

_console = Console()


@click.command()
@click.option("--rows", default=100_000, show_default=True, help="Rows of the file.")
@click.option("--width", default=100, show_default=True, help="Bytes of a row, about.")
@click.option("--rows-per-request", default=200, show_default=True, help="1: a request each.")
@click.option("--concurrency", default=4, show_default=True, help="Requests at once.")
@click.option("--plot", is_flag=True, help="Draw the adaptive delay.")
def main(rows: int, width: int, rows_per_request: int, concurrency: int, plot: bool) -> None:
    """Measure deliveries on this machine, in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="headrace-deliveries-") as folder:
        if plot:
            draw(asyncio.run(_course(Path(folder))))
            return
        settings = {"rows_per_request": rows_per_request, "max_concurrent_requests": concurrency}
        _show(rows, _measured(Path(folder), rows, width, {**settings, "batch_size": 10_000}))


async def deliveries(scale: Scale) -> list[Figure]:
    """Rows a second in lists of 200, and the most memory that took."""
    rows = min(100_000, scale.rows // 10)
    settings = {"rows_per_request": 200, "max_concurrent_requests": 4, "batch_size": 10_000}
    with tempfile.TemporaryDirectory(prefix="headrace-deliveries-") as folder:
        found = await asyncio.to_thread(_measured, Path(folder), rows, 100, settings)
    about = f"`headrace deliver`, {rows:,} rows, 200 a request"
    rate = Figure(name="deliveries.rate", about=about, value=rows / found.seconds)
    memory = Figure(name="deliveries.memory", about=f"{about}: most memory", better="less")
    return [
        replace(rate, unit="rows/s", target=LEAST_ROWS),
        replace(memory, value=found.memory, unit="MB"),
    ]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a delivery took, its start among it; memory and the file's size in MB."""

    seconds: float
    processor: float
    memory: float
    size: float


def _measured(folder: Path, rows: int, width: int, settings: dict[str, Any]) -> _Measured:
    """Raises Failed."""
    file = a_file(folder, rows, width)
    with receiving([]) as port:
        config = a_config(folder, port, settings)
        words = [sys.executable, "-m", "service.cli", "deliver", str(file), "--config", str(config)]
        began = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed("the delivery failed")
    size = file.stat().st_size / 1e6
    return _Measured(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, size)


def _show(rows: int, found: _Measured) -> None:
    table = Table("rows", "MB", "s", "rows/s", "processor s", "most memory MB", box=None)
    cells = (f"{rows:,}", f"{found.size:,.0f}", f"{found.seconds:.1f}")
    rate = f"{rows / found.seconds:,.0f}"
    table.add_row(*cells, rate, f"{found.processor:.1f}", f"{found.memory:,.0f}")
    _console.print(table)


def a_file(folder: Path, rows: int, width: int) -> Path:
    """Customers with an id, a name, an address and something to make them as wide as wanted."""
    path = folder / "customers.csv"
    filler = "x" * max(0, width - 55)
    with path.open("w") as file:
        file.write("id,name,email,note\n")
        for n in range(rows):
            file.write(f"{n},Company {n},user{n}@example.com,{filler}\n")
    return path


def a_config(folder: Path, port: int, settings: dict[str, Any]) -> Path:
    """A configuration for an API on this machine."""
    path = folder / "api_config.json"
    api = {"base_url": f"http://127.0.0.1:{port}", "endpoints": {"customers": "/customers"}}
    path.write_text(json.dumps({**api, "settings": settings}))
    return path


@contextmanager
def receiving(phases: Sequence[str]) -> Iterator[int]:
    """The API in a process of its own; its port."""
    words = [sys.executable, "-m", "loadtests.receiver", *phases]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _course(folder: Path) -> list[tuple[float, float]]:
    """The delay, as it was from moment to moment."""
    settings: dict[str, Any] = {
        "adaptive": True,
        "max_concurrent_requests": 10,
        "retry_attempts": 20,
    }
    settings |= {"backoff_factor": 0.05, "breaker_failures": 1000}
    file = a_file(folder, 100_000, 60)
    with receiving(PHASES) as port:
        text = a_config(folder, port, settings).read_text()
        job = prepared(file, read_config(text, {}, "config"), "", "", folder / "delivery")
        stop = asyncio.Event()
        with Journal(job.folder, job.about) as journal:
            async with Sender(job.api, job.examined.digest) as sender:
                delivery = Delivery(job, sender)
                running = asyncio.create_task(delivery.run(journal, stop))
                course = await _watched(delivery.progress)
                stop.set()
                await running
    return course


async def _watched(progress: Progress) -> list[tuple[float, float]]:
    began, course = time.monotonic(), []
    while (passed := time.monotonic() - began) < _SECONDS:
        course.append((passed, progress.delay))
        await asyncio.sleep(_EVERY)
    return course


def draw(course: Sequence[tuple[float, float]]) -> None:
    """Draw the delay over time, the phases behind it."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "headrace"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3))
    begin = 0.0
    told = ("well", "answers take 2.1 s", "half of them 500", "well")
    for phase, about, colour in zip(PHASES, told, ("w", "#fde8c8", "#fbd5d5", "w"), strict=True):
        end = min(_SECONDS, begin + float(phase.partition(":")[0]))
        axes.axvspan(begin, end, color=colour)
        axes.text((begin + end) / 2, 2.05, about, ha="center", fontsize=9)
        begin = end
    axes.plot([at for at, _ in course], [delay for _, delay in course], drawstyle="steps-post")
    axes.set(xlim=(0, _SECONDS), ylim=(0, 2.2), xlabel="seconds", ylabel="delay between batches, s")
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})
    _console.print(f"drawn: {PLOT.name}")


if __name__ == "__main__":
    main()
