"""A mapper tried on a message, as the control face's document says it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.control import Person, registered
from tests.api.edge import running
from tests.signing import opened_accounts

PATH = "/api/smt/process_mapper"
COLUMNS = [
    {
        "key": "user_id",
        "path": "$.user_id",
        "cast": "string",
        "primary_key": True,
        "nullable": False,
    },
    {"key": "at", "path": "$.at", "cast": "date", "cast_format": "%d/%m/%Y"},
]


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Person]:
    async with opened_accounts(tmp_path) as accounts, running(**vars(accounts)) as edge:
        yield await registered(edge)


async def tried(ada: Person, config: Any, message: Any):
    return await ada.post(PATH, {"config": config, "message": message})


async def test_the_records_come_back_as_a_list(ada: Person):
    answer = await tried(ada, COLUMNS, {"user_id": 7, "at": "31/12/2025"})
    assert (answer.status_code, answer.json()) == (200, [{"user_id": "7", "at": "2025-12-31"}])


async def test_the_older_form_with_tables_is_understood(ada: Person):
    tables = [{"table_name": "events", "fields": COLUMNS[:1]}]
    assert (await tried(ada, tables, {"user_id": "u"})).json() == [{"user_id": "u"}]


async def test_a_message_that_misses_is_told_for_each_key(ada: Person):
    answer = await tried(ada, COLUMNS, {"at": "tomorrow"})
    assert answer.status_code == 422
    assert {tuple(said["loc"]): said["msg"] for said in answer.json()["detail"]} == {
        ("body", "message", "user_id"): "there is no value at $.user_id",
        ("body", "message", "at"): "\"tomorrow\" is not written as '%d/%m/%Y'",
    }


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ([{"key": "a", "path": "$["}], ["body", "config", "0", "path"]),
        ([{"key": "a", "path": "$.a", "cast": "number"}], ["body", "config", "0"]),
        ([{"table_name": "t", "fields": [{}]}], ["body", "config", "0", "fields", "0"]),
        ([], ["body", "config"]),
        ("all", ["body", "config"]),
    ],
)
async def test_a_wrong_configuration_is_told_with_its_place(ada: Person, config: Any, place):
    answer = await tried(ada, config, {})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, place)


async def test_nobody_in_particular_is_not_let_in(ada: Person):
    answer = await tried(Person(ada.edge), COLUMNS, {})
    assert answer.status_code == 401
    assert list(answer.json()) == ["detail"]
