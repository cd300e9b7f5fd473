"""Every file of `queries/` runs, on no data and on a few events; what it answers is written down.

`golden.json` holds the answers of those that answer something. After a change on purpose,
`HEADRACE_TEST_GOLDEN=write make test` writes it anew: read the difference.
"""

import json
import os
from pathlib import Path

import pytest

from service.resources import directory
from service.rollup import Rollup
from service.storage.protocol import Statement
from tests.building import NOON, TENANT, an_event
from tests.storing import put

GOLDEN = Path(__file__).parent / "golden.json"
NAMES = sorted({file.name.split(".")[0] for file in directory("queries").iterdir()})
ELSEWHERE = {"append_rows", "recognise", "migrations_done"}
"""The contract of the store and the tests of migrations cover them."""
CHANGING = {name for name in NAMES if name.split("_")[0] in {"roll", "merge", "drop", "move"}}
CHANGING |= {"migrations_table", "migrations_note"}

HOUR = 3_600_000
START = int(NOON.timestamp() * 1000) - HOUR // 2
VALUES = {
    "tenant": TENANT,
    "start": START,
    "end": START + 2 * HOUR,
    "beyond": START + 3 * HOUR,
    "event_type": "",
    "user_id": "",
    "limit": 2,
    "origin": START,
    "slot": HOUR,
    "whole_from": START + HOUR,
    "whole_to": START + 2 * HOUR,
    "days_from": START + 2 * HOUR,
    "days_to": START + 2 * HOUR,
    "left_from": START,
    "left_to": START + HOUR,
    "right_from": START + 2 * HOUR,
    "right_to": START + 2 * HOUR,
    "tail_from": 0,
    "name": "price",
    "by": "eventType",
    "received_from": 0,
    "position": 1,
    "first": 1,
    "count": 5,
    "after": 0,
    "until": 2**63 - 1,
    "rolled": 0,
    "upto": 1,
    "most": 2,
    "level": 0,
    "enough": 1,
    "part": 0,
    "parts": 1,
    "step": 0,
    "checksum": "0",
    "epoch": 0,
    "before_epoch": 0,
    "before_sequence": 0,
    "sequence": 1,
    "stream_created": "stream",
    "message_id": "m1",
    "message_time": 1,
}
ALL_TIME = {"start": -(2**62), "end": 2**62}


def events():
    return [
        an_event("e1", user_id="ada", payload={"price": 1.5}),
        an_event("e2", after=60, user_id="bob", session_id="s2"),
        an_event("e3", after=2400, user_id="ada", event_type="buy", payload={"price": 3}),
        an_event("e4", after=3000, user_id="eve", event_type="buy", payload={"price": "3"}),
    ]


async def answer(store, name: str):
    values = {**VALUES, **ALL_TIME} if name.startswith("verify_") else VALUES
    [table] = await store.fetch(Statement(name, values))
    return sorted(table.to_pylist(), key=json.dumps)


async def answers(store) -> dict[str, list[dict]]:
    asked = [name for name in NAMES if name not in ELSEWHERE | CHANGING]
    return {name: await answer(store, name) for name in asked}


async def test_the_answers_are_those_written_down(store):
    empty = await answers(store)
    await put(store, events()[:2])
    await Rollup(store).roll(least=1)
    await put(store, events()[2:])
    found = {"no data": empty, "two events rolled up, two not": await answers(store)}
    if os.environ.get("HEADRACE_TEST_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("name", sorted(CHANGING))
async def test_a_statement_that_changes_something_runs_on_no_data(store, name):
    await store.execute(Statement(name, VALUES))


@pytest.mark.parametrize("name", sorted(CHANGING))
async def test_a_statement_that_changes_something_runs_on_some_events(store, name):
    await put(store, events())
    await store.execute(Statement(name, VALUES))
