"""Every file of `queries/` runs, on no data and on a few events; what it answers is written down.

Statements that change something run one after the other on one store: first all of them while it
has no events, then each after events were put into it anew.

`golden.json` holds the answers of those that answer something, the same from every engine. After a
change on purpose, `HEADRACE_TEST_GOLDEN=write make test` writes it anew, from DuckDB: read the
difference.
"""

import asyncio
import json
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.events import digest, tenant_seed
from service.migrate import Migratable, migrate
from service.resources import directory
from service.rollup import Rollup
from service.storage.protocol import Statement
from service.storage.statements import has_statement
from tests.building import NOON, TENANT, an_event
from tests.stores import STORES
from tests.storing import put

GOLDEN = Path(__file__).parent / "golden.json"
NAMES = sorted({f.name.split(".")[0] for f in directory("queries").iterdir() if f.is_file()})
ELSEWHERE = {"append_rows", "append_customers", "recognise", "migrations_done", "migrators_at_work"}
ELSEWHERE |= {"end_call", "table_identity", "migrators_say", "retention_held", "server"}
ELSEWHERE |= {name for name in NAMES if name.startswith(("set_", "sql_"))}
"""The contract of the store and the tests of migrations, retention and erasures cover them."""
VERBS = {"roll", "merge", "drop", "move", "expire", "free", "erase", "recount"}
CHANGING = {name for name in NAMES if name.split("_")[0] in VERBS}
CHANGING |= {"migrations_table", "migrations_note", "migrators_table"}
OWN_WAY = {"rollup_state", "transfer_rows", "retention_next"}
"""Each engine has an answer of its own: where rollups and pieces end, how numbers are written."""

HOUR = 3_600_000
START = int(NOON.timestamp() * 1000) - HOUR // 2
VALUES = {
    "tenant": TENANT,
    "apart": "",
    "start": START,
    "end": START + 2 * HOUR,
    "beyond": START + 3 * HOUR,
    "event_type": "",
    "user_id": "",
    "sender": "ada",
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
    "events": 4,
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
    "holder": "here",
    "turn": 1,
    "now": 0,
    "ids": ["e1", "e4", "other"],
    "positions": [1, 2],
    "last": 2,
    "tenants": [TENANT],
    "before": START + HOUR,
    "after_user": "",
    "names": ["plan"],
    "wanted": ["gold"],
    "users": ["ada", "eve"],
    "user_keys": [digest(user, tenant_seed(TENANT)) for user in ("ada", "eve")],
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
    [state] = await store.fetch(Statement("rollup_state", {}))
    values = {**values, "rolled": state["position"][0].as_py()}
    [table] = await store.fetch(Statement(name, values))
    return sorted(table.to_pylist(), key=json.dumps)


async def answers(store) -> dict[str, list[dict]]:
    asked = [name for name in NAMES if name not in ELSEWHERE | CHANGING]
    mine = [name for name in asked if has_statement(name, store.dialect)]
    return {name: await answer(store, name) for name in mine}


async def roll_up(store) -> None:
    while await Rollup(store).roll(least=1):
        pass


async def test_the_answers_are_those_written_down(store):
    found = {"no data": await answers(store)}
    await put(store, events()[:2])
    await roll_up(store)
    await put(store, events()[2:])
    found["two events rolled up, two not"] = await answers(store)
    await roll_up(store)
    found["all rolled up"] = await answers(store)
    if store.dialect == "duckdb" and os.environ.get("HEADRACE_TEST_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    compare(found, json.loads(GOLDEN.read_text()), store.dialect)


def compare(found, golden, dialect) -> None:
    if dialect == "duckdb":
        assert found == golden
        return
    del found["two events rolled up, two not"]  # there is no such state
    for state, answered in found.items():
        for name in set(answered) - OWN_WAY:
            assert answered[name] == golden[state][name], (state, name)


def test_what_each_engine_is_asked_is_written_down():
    """Of the other engine's statements a question must be none: verifying and migrating differ."""
    golden = json.loads(GOLDEN.read_text())["no data"]
    only = {name for name in NAMES if not has_statement(name, "clickhouse")}
    verbs = {
        "append",
        "drop",
        "erase",
        "expire",
        "merge",
        "move",
        "progress",
        "recount",
        "roll",
        "rollup",
        "set",
        "snapshot",
        "verify",
    }
    assert {name.split("_")[0] for name in only} <= verbs
    assert set(golden) == set(NAMES) - ELSEWHERE - CHANGING


class Changed:
    """A store of which every statement that changes something may have its way."""

    def __init__(self, store: Migratable, runner: asyncio.Runner) -> None:
        self._store, self._runner = store, runner

    def run(self, name: str) -> None:
        if has_statement(name, self._store.dialect):
            self._do(self._store.execute(Statement(name, VALUES)))

    def put(self) -> None:
        self._do(put(self._store, events()))

    def _do(self, doing: Coroutine[Any, Any, Any]) -> None:
        self._runner.run(doing)


@pytest.fixture(scope="module", params=STORES)
def changed(request, tmp_path_factory) -> Iterator[Changed]:
    with asyncio.Runner() as runner:
        opening = STORES[request.param](tmp_path_factory.mktemp("store"))
        store = runner.run(opening.__aenter__())
        runner.run(migrate(store))
        yield Changed(store, runner)
        runner.run(opening.__aexit__(None, None, None))


@pytest.mark.parametrize("name", sorted(CHANGING))
def test_a_statement_that_changes_something_runs_on_no_data(changed, name):
    changed.run(name)


@pytest.mark.parametrize("name", sorted(CHANGING))
def test_a_statement_that_changes_something_runs_on_some_events(changed, name):
    changed.put()
    changed.run(name)
