"""The thedata face's questions, over a real event store."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.events import Event
from service.migrate import migrate
from service.query.cache import AnswerCache
from service.query.run import Questions
from service.settings import Settings
from tests.api.edge import KEY, TENANT, Edge, running
from tests.building import an_event
from tests.stores import open_duckdb
from tests.storing import AStream, put

NOON = datetime(2024, 2, 12, 12, tzinfo=UTC)
DAY = {"start_time": "2024-02-12T00:00:00Z", "end_time": "2024-02-13T00:00:00Z"}


def view(number: int, hours: float = 0, at: datetime = NOON, **fields: Any):
    known = {"event_type": "page_view", "user_id": "ada", "session_id": "s1", "payload": {}}
    return an_event(f"e{number}", timestamp=at + timedelta(hours=hours), **{**known, **fields})


EVENTS = [
    view(1, payload={"page": "/home", "load": 10}, metadata={"source": "web"}),
    view(2, 1, user_id="bob", payload={"page": "/home", "load": 20}, metadata={"source": "web"}),
    view(3, 1.5, user_id="bob", session_id="s2", payload={"page": "/buy", "load": 60}),
    view(4, 2, event_type="click", user_id="", session_id=""),
    view(5, event_type="metric", user_id="", payload={"cpu": 0.5, "host": "a"}),
    view(6, event_type="metric", user_id="", payload={"cpu": 0.9, "host": "b"}),
]


def just_now() -> list[Event]:
    """What a window that slides to now has in it."""
    now = datetime.now(UTC)
    one = view(7, at=now, user_id="eve", payload={"load": 5})
    return [one, view(8, at=now, event_type="click", user_id="eve")]


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with open_duckdb(tmp_path) as store:
        await migrate(store)
        await put(store, [*EVENTS, *just_now()], tenant=TENANT)
        questions = Questions(store, AStream(), AnswerCache(0), Settings())
        async with running(questions=questions) as edge:
            yield edge


async def ask(edge: Edge, question: str, **parameters: str) -> Any:
    path = f"/v1/analytics/{question}"
    return await edge.client.get(path, params=parameters, headers=KEY)


async def values(edge: Edge, question: str, **parameters: str) -> list[Any]:
    answer = (await ask(edge, question, **DAY, interval="1d", **parameters)).json()
    return [row["value"] for row in answer["data"]]


async def test_events_are_counted_by_time(edge: Edge):
    answer = await ask(edge, "events", **DAY, event_type="page_view", interval="6h")
    document = answer.json()
    assert document.pop("as_of")
    assert document == {
        "data": [
            {"timestamp": f"2024-02-12T{hour:02}:00:00Z", "event_type": "page_view", "value": value}
            for hour, value in ((0, 0), (6, 0), (12, 3), (18, 0))
        ],
        "aggregations": {"count": 3},
        "total": 3,
        "more": False,
    }


@pytest.mark.parametrize(
    ("aggregation", "value"), [("count", 6), ("unique_users", 2), ("unique_sessions", 2)]
)
async def test_events_users_and_sessions_are_aggregated(edge: Edge, aggregation, value):
    assert await values(edge, "events", aggregation=aggregation) == [value]


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ("event_type", {"page_view": 3, "metric": 2, "click": 1}),
        ("source", {"web": 2, None: 4}),
        ("properties.page", {"/home": 2, "/buy": 1, None: 3}),
    ],
)
async def test_events_are_grouped_under_the_name_that_was_asked_for(edge: Edge, group, found):
    answer = await ask(edge, "events", **DAY, interval="1d", group_by=group)
    assert {row[group]: row["value"] for row in answer.json()["data"]} == found


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [("avg", 30), ("sum", 90), ("min", 10), ("max", 60), ("count", 3), ("p50", 20)],
)
async def test_a_number_of_the_properties_is_aggregated(edge: Edge, aggregation, value):
    assert await values(edge, "metrics", metric_name="load", aggregation=aggregation) == [value]


async def test_a_metric_that_was_sent_is_aggregated_by_its_labels(edge: Edge):
    assert await values(edge, "metrics", metric_name="cpu") == [0.7]
    assert await values(edge, "metrics", metric_name="cpu", labels='{"host":"b"}') == [0.9]


async def test_the_window_slides_to_now(edge: Edge):
    names = "active_users,active_sessions,events,page_views,click,none_such,avg(load)"
    answer = (await ask(edge, "realtime", window="5m", metrics=names)).json()
    assert answer["window"] == "5m"
    assert [repr(value) for value in answer["data"].values()][:3] == ["1", "1", "2"]
    assert list(answer["data"].values()) == [1, 1, 2, 1, 1, 0, 5]
    assert list(answer["data"]) == names.split(",")
    assert answer["timestamp"] > "2024"


@pytest.mark.parametrize(
    ("question", "parameters", "field"),
    [
        ("events", {}, "start_time"),
        ("events", {**DAY, "start_time": "x"}, "start_time"),
        ("events", {**DAY, "end_time": "2024-01-01"}, "start_time"),
        ("events", {**DAY, "aggregation": "avg"}, "aggregation"),
        ("events", {**DAY, "group_by": "colour"}, "group_by"),
        ("events", {**DAY, "interval": "1y"}, "interval"),
        ("events", {**DAY, "tz": "Moon"}, "tz"),
        ("events", {**DAY, "limit": "0"}, "limit"),
        ("events", {**DAY, "event_type": ""}, "event_type"),
        ("events", {**DAY, "colour": "red"}, "colour"),
        ("metrics", DAY, "metric_name"),
        ("metrics", {**DAY, "metric_name": "x", "labels": "[]"}, "labels"),
        ("realtime", {"window": "5s"}, "window"),
        ("realtime", {"window": "25h"}, "window"),
        ("realtime", {"metrics": ""}, "metrics"),
    ],
)
async def test_a_mistake_is_told_in_the_words_of_this_face(edge: Edge, question, parameters, field):
    answer = await ask(edge, question, **parameters)
    error = answer.json()
    assert (answer.status_code, error["code"]) == (400, "validation_error")
    assert error["details"]["field"] == field
    assert f"`{field}`" in error["details"]["error"]


@pytest.mark.parametrize("question", ["events", "metrics", "realtime"])
async def test_a_key_is_needed(edge: Edge, question: str):
    answer = await edge.client.get(f"/v1/analytics/{question}")
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_api_key")
