"""Events into ClickHouse, the engine in the service's process, beside what the engine can insert.

python -m loadtests.clickhouse FOLDER EVENTS      the bare inserts, in a process of their own
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec
import pyarrow as pa
from msgspec import structs

from loadtests.dataset import Shape, rows
from loadtests.figures import Figure
from loadtests.ingestion import batches
from loadtests.processes import ROOT, Failed, headrace
from loadtests.scale import Scale
from service.migrate import migrate
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess

_SHOWN = ("sustained", "acknowledged", "p50", "p99", "lag", "growth", "cost", "most")
"""Of the figures of a sustained load those that depend on the store."""
_GROUP = 50_000
"""Rows in one bare insert: the most that the writer puts into one."""
_BARE_EVENTS_A_SECOND = 100_000
"""For how many events a second of the measurement the bare inserts are made."""


class Inserted(msgspec.Struct):
    """Events a second that the engine took."""

    bare: float
    """Into a plain table."""
    events: float
    """Into the table of the service: its views, its projection, synced to disk."""


async def clickhouse(scale: Scale, folder: Path) -> list[Figure]:
    """Batches as fast as they are taken, and what the engine takes without a service."""
    inserted = await _bare_inserts(folder / "bare", scale)
    url = f"chdb://{folder}/clickhouse"
    with headrace(folder / "data", CLICKHOUSE_URL=url) as service:
        carried = await batches(scale, service)
    return [
        *[_shown(f, inserted) for f in carried if f.name.split(".")[1] in _SHOWN],
        Figure(
            name="clickhouse.inserts",
            about=f"Bare inserts of {_GROUP:,} into the service's table, views and sync included",
            value=inserted.events,
            unit="events/s",
            limit=inserted.bare,
            limit_about="the same into a plain table",
        ),
    ]


def _shown(figure: Figure, inserted: Inserted) -> Figure:
    """A figure of the embedded store's measurement as one of ClickHouse's."""
    section, what = figure.name.split(".")
    if section == "memory":  # the target is the embedded store's
        return structs.replace(figure, name=f"clickhouse.memory_{what}", target=None)
    name = f"clickhouse.{what}"
    if what != "sustained":
        return structs.replace(figure, name=name)
    about = figure.about.replace("Batches", "ClickHouse: batches")
    beside = {"limit": inserted.events, "limit_about": "bare inserts into the same table"}
    return structs.replace(figure, name=name, about=about, **beside)


async def _bare_inserts(folder: Path, scale: Scale) -> Inserted:
    count = int(_BARE_EVENTS_A_SECOND * min(scale.sustained, 10))
    command = [sys.executable, "-m", "loadtests.clickhouse", str(folder), str(count)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    if process.returncode:
        raise Failed(f"the bare inserts ended with {process.returncode}")
    return msgspec.json.decode(told, type=Inserted)


async def _insert(folder: Path, count: int) -> Inserted:
    engine = await InProcess.open(folder)
    store = ClickHouseStore(engine, shared=False)
    await migrate(store)
    definition = (Path(__file__).parent / "by_hand" / "bare_table.clickhouse.sql").read_text()
    await engine.command(definition, {})
    groups = list(rows(Shape(count, time.time_ns() // 1_000_000), _GROUP))
    try:
        bare = await _rate(engine, "bare", groups)
        return Inserted(bare, await _rate(engine, "events", groups))
    finally:
        await store.close()


async def _rate(engine: InProcess, table: str, groups: list[pa.Table]) -> float:
    """Events a second, the first insert, which is slow, not counted."""
    first, *others = groups if len(groups) > 1 else groups * 2
    await engine.insert(table, first, {})
    began = time.perf_counter()
    for group in others:
        await engine.insert(table, group, {})
    inserted: int = sum(group.num_rows for group in others)
    return inserted / (time.perf_counter() - began)


if __name__ == "__main__":
    found = asyncio.run(_insert(Path(sys.argv[1]), int(sys.argv[2])))
    sys.stdout.buffer.write(msgspec.json.encode(found))
