"""How far a delivery is: a bar on a terminal, a line every few seconds elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from service.delivery.run import Progress as Headway
from service.ending import cancelled

_BETWEEN_LOOKS = 0.2
_BETWEEN_LINES = 5.0


@asynccontextmanager
async def headway(console: Console, name: str, progress: Headway) -> AsyncIterator[None]:
    """Show it for as long as the context lasts."""
    shown = _bar if console.is_terminal else _lines
    showing = asyncio.create_task(shown(console, name, progress))
    try:
        yield
    finally:
        await cancelled(showing)


async def _bar(console: Console, name: str, progress: Headway) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(name, total=max(1, progress.size), told="")
        try:
            while True:
                told = told_of(progress, time.monotonic() - began)
                bar.update(task, completed=max(progress.byte, progress.resumed_at), told=told)
                await asyncio.sleep(_BETWEEN_LOOKS)
        finally:
            done = progress.size if progress.done else progress.byte
            told = told_of(progress, time.monotonic() - began)
            bar.update(task, completed=done, told=told)


async def _lines(console: Console, name: str, progress: Headway) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_BETWEEN_LINES)
        spent = time.monotonic() - began
        told = f"{name}: {told_of(progress, spent)}, {_left(progress, spent)}"
        console.print(Text(told), soft_wrap=True)


def told_of(progress: Headway, seconds: float) -> str:
    """Rows, rate, outcomes, and what holds it back, in a line."""
    counts = ", ".join(f"{n:,} {outcome}" for outcome, n in progress.outcomes.items() if n)
    rate = f"{progress.rows / max(seconds, 0.001):,.0f} rows/s"
    parts = [f"{progress.rows:,} rows", "" if progress.stopped else rate, counts]
    if progress.stopped:
        parts.append("ending; Ctrl-C again: at once")
    elif progress.closed_for:
        parts.append(f"waiting {progress.closed_for:.0f} s for the API")
    elif progress.delay:
        parts.append(f"delay {progress.delay:.2g} s")
    return ", ".join(filter(None, parts))


def _left(progress: Headway, seconds: float) -> str:
    done = progress.byte - progress.resumed_at
    if done <= 0:
        return "just begun"
    left = (progress.size - progress.byte) * seconds / done
    return f"{100 * progress.byte / max(1, progress.size):.0f} %, {left:,.0f} s left"
