"""`python -m loadtests.curve`: what questions and disk cost as events become more, on each engine.

For each engine and number of events a store is filled with `loadtests/dataset.py` and asked for the
metrics of an hour, a day and a week, uncached, as the service asks. Beside it stand the same four
blocks (types, users, time, distinct) as somebody would write them by hand for this schema
(`loadtests/by_hand/`): from the rows, and on ClickHouse from its views too, though those answer
only for ranges that end where a bucket does. The limit is the faster of the two.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import duckdb
import rich_click as click
from rich.console import Console

from loadtests import figures, report
from loadtests.dataset import TENANTS, Shape, rows
from loadtests.figures import Figure, Results
from loadtests.filled import fill
from service.migrate import migrate
from service.query.catalog import QUARTER, RANGES
from service.query.documents import metrics_document
from service.query.parameters import parse_metrics
from service.query.planner import plan_metrics
from service.settings import Settings
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.duckdb import DuckDBStore
from service.storage.protocol import EventStore, Statement
from service.storage.statements import has_statement, in_dialect

PAGE = Path(__file__).parent.parent / "docs" / "cost-curve.md"
PLOT = PAGE.with_suffix(".svg")
BY_HAND = Path(__file__).parent / "by_hand"
BLOCKS = ("types", "users", "over_time", "distinct")
WAYS = ("rows", "views")
ASKED = ("1h", "24h", "7d")
MOST_TO_BEST = 1.5
"""The metrics document may take this much of the best hand-written statements."""
_LOAD = "load"
_REPEATS = 7
_TENANT = TENANTS[0]

Ask = Callable[[str, Mapping[str, Any]], Awaitable[object]]
"""Carries out a text with these values."""

_console = Console()


class Engine(Protocol):
    """An event store in a folder: how to fill it, ask it, and weigh it."""

    dialect: str

    async def fill(self, folder: Path, count: int) -> None: ...

    def opened(self, folder: Path) -> AbstractAsyncContextManager[EventStore]:
        """The store, as the service opens it."""
        ...

    def by_hand(self, folder: Path) -> AbstractAsyncContextManager[Ask]:
        """The engine, for statements of one's own."""
        ...

    async def disk(self, folder: Path) -> int:
        """Bytes of everything that it keeps."""
        ...


@click.command()
@click.option("--millions", multiple=True, default=(1.0, 10.0, 50.0), show_default=True)
@click.option("--engine", multiple=True, default=("duckdb", "clickhouse"), show_default=True)
@click.option(
    "--keep", is_flag=True, help="Keep the results; write docs/cost-curve.md and its plot."
)
def main(millions: tuple[float, ...], engine: tuple[str, ...], keep: bool) -> None:
    """Measure the cost curve on this machine, in temporary directories."""
    began = time.monotonic()
    load = Figure(
        name=_LOAD, about="Others at work: load average at the start", value=os.getloadavg()[0]
    )
    found = [load]
    found += [
        figure
        for name in engine
        for count in millions
        for figure in asyncio.run(_measured(ENGINES[name], round(count * 1_000_000)))
    ]
    command = "python -m loadtests.curve" + "".join(f" --millions {m:g}" for m in millions)
    results = figures.results(command, "curve", time.monotonic() - began, found)
    _console.print(report.table(results, figures.latest("curve")))
    if keep:
        figures.keep(results)
        PAGE.write_text(page(results))
        plot(results, PLOT)


async def _measured(engine: Engine, count: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="headrace-curve-") as name:
        folder, end = Path(name), time.time_ns() // 1_000_000
        await engine.fill(folder, count)
        _console.print(f"{engine.dialect}: {count:,} in {time.time() - end / 1000:.0f} s")
        async with engine.by_hand(folder) as ask:
            best = {name: await _best(engine, ask, name, end) for name in ASKED}
        async with engine.opened(folder) as store:
            ours = {name: await _median(partial(_metrics, store, name, end)) for name in ASKED}
        weight = await engine.disk(folder) / count
        return _figures(f"{engine.dialect}.{count}", ours, best, weight)


def _figures(
    place: str, ours: Mapping[str, float], best: Mapping[str, float], weight: float
) -> list[Figure]:
    engine, count = place.split(".")
    about = f"{engine}, {int(count) / 1e6:g} M"
    asked = [
        Figure(
            name=f"{place}.{name}",
            about=f"{about}: metrics of {name}",
            value=round(ours[name], 1),
            unit="ms",
            better="less",
            limit=round(best[name], 1),
            limit_about="the best by hand",
            target=round(best[name] * MOST_TO_BEST, 1),
        )
        for name in ASKED
    ]
    return [
        *asked,
        Figure(
            name=f"{place}.disk",
            about=f"{about}: disk",
            value=round(weight, 1),
            unit="bytes/event",
            better="less",
        ),
    ]


async def _metrics(store: EventStore, name: str, end: int) -> None:
    """The metrics document, from the parameters to its bytes."""
    parameters = parse_metrics({"timeRange": name}, end)
    plan = plan_metrics(_TENANT, parameters, open_end=True)
    snapshot = [Statement("snapshot", {})] if has_statement("snapshot", store.dialect) else []
    answers = await store.fetch(*snapshot, *plan.statements)
    metrics_document(parameters, plan, *answers[len(snapshot) :][:3])


async def _best(engine: Engine, ask: Ask, name: str, end: int) -> float:
    """Milliseconds of the four blocks by hand, one after the other, the faster way."""
    length, slot = RANGES[name]
    aligned = end // QUARTER * QUARTER
    values = {"tenant": _TENANT, "start": aligned - length, "end": aligned, "slot": slot}
    ways = [_texts(way, engine.dialect) for way in WAYS]
    return min([await _median(partial(_all, ask, texts, values)) for texts in ways if texts])


async def _all(ask: Ask, texts: Sequence[str], values: Mapping[str, Any]) -> None:
    for text in texts:
        await ask(text, values)


def _texts(way: str, dialect: str) -> list[str]:
    """The statements of one way to ask; none if this engine has it not."""
    paths = [BY_HAND / f"{way}_{block}" for block in BLOCKS]
    own = [path.with_suffix(f".{dialect}.sql") for path in paths]
    both = [path.with_suffix(".sql") for path in paths]
    chosen = [one if one.is_file() else other for one, other in zip(own, both, strict=True)]
    return [in_dialect(path.read_text("utf-8"), dialect) for path in chosen if path.is_file()]


async def _median(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of one call: the median of some, after one that warms up."""
    times = []
    for _ in range(_REPEATS + 1):
        began = time.perf_counter()
        await work()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[1:])


class _DuckDB:
    dialect = "duckdb"

    async def fill(self, folder: Path, count: int) -> None:
        await fill(folder, count)

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[EventStore]:
        store = DuckDBStore.open(self._path(folder), Settings().duckdb_memory)
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def by_hand(self, folder: Path) -> AsyncIterator[Ask]:
        limits: dict[str, Any] = {"threads": "2", "memory_limit": Settings().duckdb_memory}
        connection = duckdb.connect(self._path(folder), read_only=True, config=limits)

        async def ask(text: str, values: Mapping[str, Any]) -> object:
            named = {name: value for name, value in values.items() if f"${name}" in text}
            return await asyncio.to_thread(lambda: connection.execute(text, named).fetchall())

        with connection:
            yield ask

    async def disk(self, folder: Path) -> int:
        return self._path(folder).stat().st_size

    def _path(self, folder: Path) -> Path:
        return folder / "events.duckdb"


class _ClickHouse:
    dialect = "clickhouse"

    async def fill(self, folder: Path, count: int) -> None:
        engine = await InProcess.open(folder)
        store = ClickHouseStore(engine, shared=False)
        try:
            await migrate(store)
            for table in rows(Shape(count, time.time_ns() // 1_000_000)):
                await engine.insert("events", table, {"async_insert": "0"})
        finally:
            await store.close()

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[EventStore]:
        store = ClickHouseStore(await InProcess.open(folder), shared=False)
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def by_hand(self, folder: Path) -> AsyncIterator[Ask]:
        engine = await InProcess.open(folder)
        try:
            yield lambda text, values: engine.ask(text, values, None, {})
        finally:
            await engine.close()

    async def disk(self, folder: Path) -> int:
        async with self.by_hand(folder) as ask:
            weighed: Any = await ask((BY_HAND / "disk.clickhouse.sql").read_text("utf-8"), {})
        return int(weighed["everything"][0].as_py())


ENGINES: dict[str, Engine] = {"duckdb": _DuckDB(), "clickhouse": _ClickHouse()}


def page(results: Results) -> str:
    """The table and the plot, for the documentation."""
    machine = results.machine
    lines = [
        "# What more events cost",
        "",
        (__doc__ or "").split("\n\n", 1)[1].strip(),
        "",
        f"Written by `{results.command} --keep` on {results.date:%Y-%m-%d %H:%M} UTC, commit "
        f"{results.commit}, {machine.cores} cores of {machine.processor}.",
        "",
        "![milliseconds and bytes by the number of events](cost-curve.svg)",
        "",
        "| engine, events | measured | best by hand | ratio |",
        "|---|---:|---:|---:|",
    ]
    for figure in results.figures:
        limit = f"{figure.limit:g} {figure.unit}" if figure.limit else ""
        ratio = f"{figure.ratio:.2f}" if figure.ratio else ""
        lines.append(f"| {figure.about} | {figure.value:g} {figure.unit} | {limit} | {ratio} |")
    return "\n".join(lines) + "\n"


def plot(results: Results, path: Path) -> None:
    """Draw the curve: milliseconds by range, and bytes an event, over the number of events."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "headrace"
    from matplotlib import pyplot

    drawing, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for (engine, what), points in sorted(_lines(results).items()):
        axes = right if what == "disk" else left
        style = "o--" if engine == "duckdb" else "o-"
        axes.plot(*zip(*sorted(points), strict=True), style, label=f"{engine} {what}")
    left.set(xscale="log", yscale="log", xlabel="events", ylabel="ms, metrics uncached")
    right.set(xscale="log", xlabel="events", ylabel="bytes on disk an event", ylim=(0, None))
    left.legend(fontsize="small")
    right.legend(fontsize="small")
    drawing.tight_layout()
    drawing.savefig(path, metadata={"Date": None})
    pyplot.close(drawing)


def _lines(results: Results) -> dict[tuple[str, str], list[tuple[int, float]]]:
    lines: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for figure in results.figures:
        if figure.name == _LOAD:
            continue
        engine, count, what = figure.name.split(".")
        lines.setdefault((engine, what), []).append((int(count), figure.value))
    return lines


if __name__ == "__main__":
    main()
