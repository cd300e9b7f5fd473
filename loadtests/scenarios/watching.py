"""How a run goes, while it goes: a table on a terminal, a line every five seconds elsewhere."""

import time
from collections import deque
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from loadtests.scenarios.told import Second

_BETWEEN_LINES = 5
_SHOWN = 12
"""Seconds on the screen."""
_HEADINGS = ("second", "due/s", "taken/s", "p50 ms", "p99 ms", "refused", "errors", "waiting",
             "reads/s", "lag ms")  # fmt: skip


class Shown(Protocol):
    """A run as it is shown, for the time of a `with` block."""

    def show(self, second: Second, lag: float | None) -> None:
        """A second more; `lag` is the age (ms) of the last event when it was counted."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def shown(console: Console, title: str, seconds: float) -> Shown:
    """What fits the console."""
    return _Screen(console, title, seconds) if console.is_terminal else _Lines(console, seconds)


def row(second: Second, lag: float | None) -> tuple[str, ...]:
    """A second as cells."""
    return (
        f"{second.at}",
        f"{second.due:,}",
        f"{second.acknowledged:,}",
        _ms(second.p50),
        _ms(second.p99),
        f"{second.refused:,}",
        f"{second.lost + second.wrong:,}",
        f"{second.waiting:,}",
        f"{second.reads:,}",
        _ms(lag),
    )


class _Screen:
    def __init__(self, console: Console, title: str, seconds: float) -> None:
        self._title = title
        self._ends = seconds
        self._rows: deque[tuple[str, ...]] = deque(maxlen=_SHOWN)
        self._live = Live(self._table(), console=console, auto_refresh=False, transient=True)

    def show(self, second: Second, lag: float | None) -> None:
        self._rows.append(row(second, lag))
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(title=f"{self._title} ({self._ends:.0f} s)")
        for heading in _HEADINGS:
            table.add_column(heading, justify="right", min_width=7)
        for cells in self._rows:
            table.add_row(*cells)
        return table

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


class _Lines:
    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._ends = seconds
        self._next = time.monotonic()

    def show(self, second: Second, lag: float | None) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _BETWEEN_LINES
            told = ", ".join(
                f"{name} {cell}" for name, cell in zip(_HEADINGS, row(second, lag), strict=True)
            )
            self._console.print(told, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
