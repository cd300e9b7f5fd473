"""The examples of docs/api-query.md are asked, and answered as the page says."""

import json
import re

from service.errors import InvalidInput
from service.formats.choice import CSV, TABLES
from service.formats.encoders import encoded
from service.query.cache import AnswerCache
from service.query.catalog import INTERVALS
from service.query.language.fields import NUMBERS, TEXTS
from service.query.language.metrics import COUNTS, SUMS
from service.query.language.reading import read_question
from service.query.language.sheet import query_table
from service.query.language.words import Query, operators
from service.query.run import Questions
from service.settings import Settings
from tests.building import TENANT
from tests.house.tables import ROOT
from tests.queries.test_engines_agree import flights
from tests.storing import AStream, put

PAGE = (ROOT / "docs" / "api-query.md").read_text("utf-8")
BLOCKS = re.findall(r"```json\n(.*?)```", PAGE, re.S)
EXAMPLES = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))
[FILE] = re.findall(r"```csv\n(.*?)```", PAGE, re.S)
FLIGHTS = 6_000


async def test_the_examples_are_answered_as_the_page_says(store):
    await put(store, flights(FLIGHTS))
    questions = Questions(store, AStream(), AnswerCache(0), Settings())
    given = [await ask(questions, query) for query, _ in EXAMPLES]
    assert given == [json.loads(answer) for _, answer in EXAMPLES]


async def test_the_first_example_is_a_file_as_the_page_says(store):
    await put(store, flights(FLIGHTS))
    questions = Questions(store, AStream(), AnswerCache(0), Settings())
    question = read_question(EXAMPLES[0][0].encode(), 0)
    document = json.loads((await questions.query(TENANT, question)).document)
    content = encoded(CSV, query_table(question, document)).decode()
    assert content.replace("\r\n", "\n") == FILE


def test_the_forms_of_a_file_are_documented():
    told = [f"| `{form.name}` | `{form.media}` |" for form in TABLES]
    assert [row for row in told if row not in PAGE] == []


async def ask(questions: Questions, query: str) -> object:
    """The answer, or what is said of what is wrong."""
    try:
        question = read_question(query.encode(), 0)
    except InvalidInput as error:
        return str(error)
    return json.loads((await questions.query(TENANT, question)).document)


def test_there_are_examples():
    assert len(EXAMPLES) > 4


def test_the_grammar_is_documented_whole():
    told = [*operators(), *COUNTS, *SUMS, *TEXTS, *NUMBERS, *INTERVALS]
    assert [name for name in told if not re.search(rf"[`,\s]{name}[`(\s]", PAGE)] == []
    assert [name for name in Query.__struct_fields__ if f"| `{name}` |" not in PAGE] == []
