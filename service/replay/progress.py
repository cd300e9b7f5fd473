"""How far a replay has come: a bar on a terminal, a line every few seconds elsewhere."""

import time
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_BETWEEN_LINES = 5.0


class Shown(Protocol):
    """Progress as it is shown, for the time of a `with` block."""

    def advance(self, events: int) -> None:
        """So many more events have been answered."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def progress(console: Console, name: str, total: int) -> Shown:
    """What fits the console."""
    return _Bar(console, name, total) if console.is_terminal else _Lines(console, name, total)


class _Rate:
    """Events a second since the beginning."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def of(self, events: float) -> float:
        return events / max(time.monotonic() - self._start, 0.001)


class _Bar:
    def __init__(self, console: Console, name: str, total: int) -> None:
        self._rate = _Rate()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:,.0f} events/s"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task(name, total=total, rate=0.0)

    def advance(self, events: int) -> None:
        done = self._bar.tasks[self._task].completed + events
        self._bar.update(self._task, completed=done, rate=self._rate.of(done))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


class _Lines:
    def __init__(self, console: Console, name: str, total: int) -> None:
        self._console = console
        self._name = name
        self._total = total
        self._done = 0
        self._rate = _Rate()
        self._next = time.monotonic() + _BETWEEN_LINES

    def advance(self, events: int) -> None:
        self._done += events
        if time.monotonic() >= self._next:
            self._next += _BETWEEN_LINES
            self._print()

    def _print(self) -> None:
        rate = self._rate.of(self._done)
        left = (self._total - self._done) / rate if rate else 0
        self._console.print(
            f"{self._name}: {self._done:,} of {self._total:,} events, "
            f"{rate:,.0f} events/s, {left:,.0f} s left",
            highlight=False,
            soft_wrap=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._print()
