"""What every released version has left on a disk is still read: migrated, counted, added to.

`tests/released/` holds a data directory of each as text; `tests.released.keep` writes the next.
"""

import sqlite3
from pathlib import Path

import duckdb
import msgspec
import pytest

from service.accounts.keys import Keys
from service.database import is_current, open_database, upgrade
from service.migrate import migrate, pending
from service.query.cache import AnswerCache
from service.query.parameters import parse_metrics
from service.query.run import Questions
from service.rollup import Rollup
from service.settings import Settings
from tests.building import NOON, TENANT
from tests.stores import open_duckdb
from tests.storing import AStream, put

RELEASED = sorted(p for p in (Path(__file__).parents[1] / "released").iterdir() if p.is_dir())
RELEASED = [folder for folder in RELEASED if folder.name[0].isdigit()]
KEY = "a-key-of-{}-for-tests"
EVENTS = 37


@pytest.fixture(params=RELEASED, ids=lambda folder: folder.name)
def released(request) -> Path:
    return request.param


@pytest.fixture
async def store(released, tmp_path):
    with duckdb.connect(tmp_path / "events.duckdb") as made:
        made.execute((released / "events.duckdb.sql").read_text("utf-8"))
    async with open_duckdb(tmp_path) as opened:
        await migrate(opened)
        yield opened


async def total(store) -> int:
    week = parse_metrics({"timeRange": "7d"}, int(NOON.timestamp() * 1000) + 86_400_000)
    served = await Questions(store, AStream(), AnswerCache(0), Settings()).metrics(TENANT, week)
    return msgspec.json.decode(served.document)["totalEvents"]


async def wrong(store) -> list[object]:
    return [finding for finding in await Rollup(store).verify() if not finding.ok]


async def test_its_events_are_all_counted(store):
    assert await pending(store) == []
    assert (await total(store), await wrong(store)) == (EVENTS, [])


async def test_events_are_added_to_it_and_rolled_up(store):
    await put(store, ["new"])
    assert await Rollup(store).roll(least=1)
    assert (await total(store), await wrong(store)) == (EVENTS + 1, [])


async def test_its_keys_still_open_the_door(released, tmp_path):
    with sqlite3.connect(tmp_path / "control.sqlite") as made:
        made.executescript((released / "accounts.sqlite.sql").read_text("utf-8"))
    database = open_database(Settings(data_dir=tmp_path))
    await upgrade(database)
    assert await is_current(database)
    keys = Keys(database)
    assert (await keys.verify(KEY.format(released.name))).tenant == "env_default"
    await keys.close()
    await database.close()
