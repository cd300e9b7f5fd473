"""Dying at each named point of the road into ClickHouse loses and doubles nothing."""

import asyncio
from pathlib import Path

import pytest

from service.crash import POINTS
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from tests.chaos.clients import Ledger, Load
from tests.chaos.faults import die_at
from tests.chaos.judge import SOUND, Findings, compare_store, wait_until_counted
from tests.chaos.tally import judged

EAGER = {"HEADRACE_STREAM_KEEP_SECONDS": 0}
"""Purge after almost every group, so that the writer often comes by every point."""
POISONED = "writer.after_dead_letter"
AT_WORK = [p for p in POINTS if p.split(".")[0] in {"writer", "ledger"} and p != POISONED]
DAYS = 200
"""Event times over so many days: late events are inserts of their own."""


@pytest.mark.parametrize("point", AT_WORK)
def test_dying_twice_at_a_named_point_of_the_clickhouse_road_is_made_good(
    point, new_service, seed, tmp_path
):
    folder = tmp_path / "clickhouse"
    service = new_service(CLICKHOUSE_URL=f"chdb://{folder}", **EAGER)
    load = Load(service, seed)
    load.days = DAYS
    die_at(service, point, load)
    wait_until_counted(service, len(load.ledger.acknowledged))
    assert service.stop() == 0, service.last_words()
    found = asyncio.run(look(folder, load.ledger))
    judged("embedded", len(load.ledger.acknowledged), len(found.lost), len(found.doubled))
    assert found == SOUND, service.last_words()
    assert not load.ledger.surprises


async def look(folder: Path, ledger: Ledger) -> Findings:
    store = ClickHouseStore(await InProcess.open(folder), shared=False)
    try:
        return await compare_store(store, ledger)
    finally:
        await store.close()
