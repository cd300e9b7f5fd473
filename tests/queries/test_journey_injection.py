"""In a question about journeys, too, whatever a caller writes is a value and means itself."""

import asyncio
import json

import pytest

from service.errors import InvalidInput
from service.migrate import migrate
from service.query.cache import AnswerCache
from service.query.journeys.kinds import KINDS
from service.query.run import Questions
from service.settings import Settings
from tests.building import TENANT, an_event
from tests.queries.test_query_injection import NOW, PAYLOADS
from tests.stores import STORES
from tests.storing import AStream, put


@pytest.fixture(scope="module", params=["duckdb", "clickhouse"])
def ask(request, tmp_path_factory):
    """Asks a store in which each text has a user, who saw it twice."""
    with asyncio.Runner() as runner:
        opening = STORES[request.param](tmp_path_factory.mktemp("store"))
        store = runner.run(opening.__aenter__())
        runner.run(migrate(store))
        for tenant in (TENANT, "env_other"):
            events = [event(n, text) for n, text in enumerate(PAYLOADS * 2)]
            runner.run(put(store, events, tenant=tenant))
        questions = Questions(store, AStream(), AnswerCache(0), Settings())
        yield lambda kind, asked: runner.run(answer(questions, kind, asked))
        runner.run(opening.__aexit__(None, None, None))


def event(number: int, text: str):
    payload = {"k": text, text: 1}
    return an_event(f"e{number}", after=number / 10, payload=payload, user_id=text)


async def answer(questions: Questions, kind: str, asked: dict) -> dict:
    question = KINDS[kind](json.dumps(asked).encode(), NOW)
    return json.loads((await questions.journey(TENANT, question)).document)


CHUNKS = [PAYLOADS[n::20] for n in range(20)]
"""A question about many texts costs little more than one about one."""


def any_of(texts: list[str]) -> list:
    """Filters for the events of these texts, who have the texts as values and as keys."""
    values = [{"op": "is", "field": "payload.k", "value": text} for text in texts]
    keys = [{"op": "exists", "field": f"payload.{json.dumps(text)}"} for text in texts]
    return [{"op": "or", "filters": values}, {"op": "or", "filters": keys}]


@pytest.mark.parametrize("texts", CHUNKS)
def test_a_text_means_itself_wherever_it_stands_in_a_funnel(ask, texts):
    steps = [{"filters": any_of(texts), "name": texts[0]}, {"event": "click"}]
    asked = {"steps": steps, "dimensions": ["payload.k"]}
    rows = ask("funnel", asked)["rows"]
    assert {row["dimensions"]["payload.k"] for row in rows} == set(texts)
    assert {tuple(step["users"] for step in row["steps"]) for row in rows} == {(1, 1)}
    assert {row["steps"][0]["name"] for row in rows} == {texts[0]}
    nobody = [{"event": text} for text in texts[:5]]
    [row] = ask("funnel", {"steps": nobody})["rows"]
    assert {step["users"] for step in row["steps"]} == {0}


@pytest.mark.parametrize("texts", CHUNKS[::5])
def test_a_text_means_itself_wherever_it_stands_in_sessions(ask, texts):
    rows = ask("sessions", {"filters": any_of(texts), "dimensions": ["payload.k"]})["rows"]
    assert {row["dimensions"]["payload.k"] for row in rows} == set(texts)
    assert {row["metrics"]["events"] for row in rows} == {2}


@pytest.mark.parametrize("texts", CHUNKS[::5])
def test_a_text_means_itself_wherever_it_stands_in_retention(ask, texts):
    start = {"filters": any_of(texts), "name": texts[0]}
    answer = ask("retention", {"start": start, "return": {"event": "click"}})
    assert answer["totals"]["users"][0] == answer["totals"]["returned"][0] == len(texts)
    nobody = ask("retention", {"start": {"event": texts[0]}})
    assert nobody["totals"]["users"][0] == 0


@pytest.mark.parametrize("texts", CHUNKS[::5])
def test_a_text_means_itself_wherever_it_stands_in_paths(ask, texts):
    asked = {"to": {"filters": any_of(texts)}, "of": "payload.k", "limit": 200}
    steps = [path["steps"] for path in ask("paths", asked)["paths"]]
    assert sorted(steps) == sorted([text, text] for text in texts)


NAMES = {
    "funnel": (
        {"steps": [{"event": "click"}] * 2, "dimensions": ["time"]},
        ("window", "interval", "range", "tz", "compare"),
    ),
    "sessions": ({"dimensions": ["time"]}, ("by", "gap", "interval", "range", "tz", "compare")),
    "retention": ({"start": {"event": "a"}}, ("period", "kind", "range", "tz")),
    "paths": ({}, ("of", "gap", "range", "collapse")),
}
"""A document of each kind, and where in it a name is chosen or a length told."""


@pytest.mark.parametrize("kind", KINDS)
def test_where_a_name_is_chosen_it_is_refused(kind):
    least, places = NAMES[kind]
    for text in PAYLOADS:
        for place in places:
            refused(kind, {**least, place: text})
        refused(kind, {**least, "filters": [{"op": text, "field": "userId"}]})
        refused(kind, {**least, "filters": [{"op": "exists", "field": text}]})


def refused(kind: str, asked: dict) -> None:
    with pytest.raises(InvalidInput):
        KINDS[kind](json.dumps(asked).encode(), NOW)
