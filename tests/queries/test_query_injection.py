"""Whatever a caller writes is a value: it means itself, and nothing of it runs."""

import asyncio
import json
from itertools import product

import pytest

from service.errors import InvalidInput
from service.migrate import migrate
from service.query.cache import AnswerCache
from service.query.language.reading import read_question
from service.query.run import Questions
from service.settings import Settings
from tests.building import NOON, TENANT, an_event
from tests.stores import STORES
from tests.storing import AStream, put

NOW = int(NOON.timestamp() * 1000) + 600_000
WORDS = (
    "' OR 1=1 --",
    "'; DROP TABLE events; --",
    "x') OR tenant <> ('",
    "\\' UNION ALL SELECT * FROM events --",
    "/* */ FORMAT JSON",
    "{tenant_1:String}",
    "{name:Identifier}",
    "$tenant_1",
    "<filters AND>",
    "<json>",
    "?",
    "%s %(x)s",
    "%",
    "_",
    "\\",
    "\\x27",
    "'",
    '"',
    "`events`",
    ";",
    "$",
    "*",
    "$.*",
    "$..x",
    "/",
    "~1",
    "[0]",
    ".",
    "file('/etc/passwd')",
    "url('http://127.0.0.1/')",
    "read_csv('/etc/passwd')",
    "(SELECT version())",
    "NULL",
    "true",
    "0",
    "\x00",
    "\n--\n",
    "\t\r\x1b",
    "\u2028 ' \u2029",
    "\ufeff",
    "ʼ OR ʼ1ʼ=ʼ1",
    "𝒳' --",
)
WRAPS = ("{}", "a{}b", "'{}'", '"{}"', "{0} {0}")
PAYLOADS = sorted({wrap.format(word) for word, wrap in product(WORDS, WRAPS)})


@pytest.fixture(scope="module", params=["duckdb", "clickhouse"])
def ask(request, tmp_path_factory):
    with asyncio.Runner() as runner:
        opening = STORES[request.param](tmp_path_factory.mktemp("store"))
        store = runner.run(opening.__aenter__())
        runner.run(migrate(store))
        for tenant in (TENANT, "env_other"):
            runner.run(
                put(store, [event(n, text) for n, text in enumerate(PAYLOADS)], tenant=tenant)
            )
        questions = Questions(store, AStream(), AnswerCache(0), Settings())
        yield lambda query: runner.run(answer(questions, query))
        runner.run(opening.__aexit__(None, None, None))


def event(number: int, text: str):
    payload = {"k": text, text: number, "o": {text: text}}
    return an_event(f"e{number}", payload=payload, user_id=text, metadata={"source": text})


async def answer(questions: Questions, query: dict) -> list:
    question = read_question(json.dumps(query).encode(), NOW)
    return json.loads((await questions.query(TENANT, question)).document)["rows"]


def test_there_are_two_hundred():
    assert len(PAYLOADS) > 200


@pytest.mark.parametrize("text", PAYLOADS)
def test_a_text_means_itself_wherever_it_stands(ask, text):
    key = f"payload.{json.dumps(text)}"
    inside = f"payload.o.{json.dumps(text)}"
    filters = [
        *({"op": "is", "field": field, "value": text} for field in ("payload.k", "userId", inside)),
        *({"op": "in", "field": field, "values": ["x", text]} for field in ("payload.k", "source")),
        *({"op": op, "field": "payload.k", "value": text} for op in ("contains", "starts_with")),
        *({"op": op, "field": "userId", "value": text} for op in ("contains", "starts_with")),
        {"op": "exists", "field": key},
        {"op": "not", "filter": {"op": "is_not", "field": "source", "value": text}},
    ]
    metrics, dimensions = ["events", f"max({key})"], ["payload.k", "userId", inside, "source"]
    [row] = ask({"metrics": metrics, "dimensions": dimensions, "filters": filters})
    assert row["dimensions"] == dict.fromkeys(dimensions, text)
    assert row["metrics"] == {"events": 1, f"max({key})": PAYLOADS.index(text)}


@pytest.mark.parametrize("text", PAYLOADS)
def test_where_a_name_is_chosen_it_is_refused(text):
    query = {"metrics": ["events"], "dimensions": ["time"]}
    for place in ("tz", "interval", "range", "compare", "cursor"):
        refused({**query, place: text})
    for place in ("metrics", "dimensions", "order"):
        refused({**query, place: [text]})
    for op, field in ((text, "userId"), ("exists", text)):
        refused({**query, "filters": [{"op": op, "field": field}]})


def refused(query: dict) -> None:
    with pytest.raises(InvalidInput):
        read_question(json.dumps(query).encode(), NOW)
