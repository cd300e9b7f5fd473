"""The examples of docs/api-saved.md are saved and asked, and answered as the page says."""

import json
import re
from urllib.parse import parse_qsl

import pyarrow as pa

from service.formats.choice import DRAWN, PROMETHEUS
from service.formats.drawn import Drawing
from service.query.cache import AnswerCache
from service.query.language.sheet import query_table
from service.query.run import Questions
from service.query.saved.definition import KEPT, OURS, QUERY, Kind, read_definition, written
from service.query.saved.shelf import Asked, Shelf
from service.settings import Settings
from tests.building import TENANT
from tests.house.tables import ROOT
from tests.queries.test_engines_agree import flights
from tests.storing import AStream, put

PAGE = (ROOT / "docs" / "api-saved.md").read_text("utf-8")
[DEFINITION, ANSWER] = re.findall(r"```json\n(.*?)```", PAGE, re.S)
[PARAMETERS] = re.findall(r"GET /api/v1/analytics/saved/delays\?(\S+)\n", PAGE)
FLIGHTS = 6_000


async def asked(store) -> tuple[Shelf, Asked]:
    await put(store, flights(FLIGHTS))
    text = written(read_definition(DEFINITION.encode(), 0))

    async def find(tenant: str, name: str) -> str:
        return text

    questions = Questions(store, AStream(), AnswerCache(0), Settings())
    shelf = Shelf(find, dict.fromkeys((None, *KEPT), questions))
    return shelf, await shelf.asked(TENANT, "delays", dict(parse_qsl(PARAMETERS)), 0)


async def test_the_example_is_answered_as_the_page_says(store):
    shelf, found = await asked(store)
    document = json.loads((await shelf.answer(TENANT, found)).document)
    assert document == json.loads(ANSWER)


async def test_it_is_drawn_as_the_page_says(store):
    shelf, found = await asked(store)
    document = json.loads((await shelf.answer(TENANT, found)).document)
    table: pa.Table = query_table(found.question, document)
    text = Drawing("delays", ["source"]).encoded(PROMETHEUS, table).decode()
    [shown] = re.findall(r"```\n(# HELP.*?)```", PAGE, re.S)
    assert shown.rstrip("\n") in text


def test_what_a_definition_may_say_is_documented():
    told = [QUERY, *Kind.__args__, *(form.name for form in DRAWN), *map(str, KEPT)]
    assert [name for name in told if not re.search(rf"[`, =]{name}[`, ;.]", PAGE)] == []
    assert set(OURS) >= {"after", "format", "cursor"}
