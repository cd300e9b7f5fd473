"""The examples of docs/api-journeys.md are asked, and answered as the page says."""

import json
import re

import msgspec
import pytest

from service.errors import InvalidInput
from service.query.cache import AnswerCache
from service.query.journeys import words
from service.query.journeys.kinds import KINDS
from service.query.run import Questions
from service.settings import Settings
from tests.building import TENANT
from tests.clickstream import clickstream
from tests.house.tables import ROOT
from tests.storing import AStream, put

PAGE = (ROOT / "docs" / "api-journeys.md").read_text("utf-8")
EXAMPLE = re.compile(r"```json\n(.*?)```\n+```json\n(.*?)```", re.S)


def examples():
    """Which question, its document, and what the page says of it."""
    kind = ""
    for part in PAGE.split("\n## "):
        if route := re.search(r"`POST /api/v1/analytics/(\w+)`", part):
            kind = route[1]
        for document, answer in EXAMPLE.findall(part):
            yield kind if not part.startswith("What is refused") else "funnel", document, answer


EXAMPLES = list(examples())


async def test_the_examples_are_answered_as_the_page_says(store):
    await put(store, clickstream())
    questions = Questions(store, AStream(), AnswerCache(0), Settings())
    given = [await ask(questions, kind, document) for kind, document, _ in EXAMPLES]
    assert given == [json.loads(answer) for _, _, answer in EXAMPLES]


async def ask(questions: Questions, kind: str, document: str) -> object:
    """The answer, or what is said of what is wrong."""
    try:
        question = KINDS[kind](document.encode(), 0)
    except InvalidInput as error:
        return str(error)
    return json.loads((await questions.journey(TENANT, question)).document)


@pytest.mark.parametrize("kind", KINDS)
def test_every_question_has_an_example_and_every_field_a_line(kind):
    assert kind in {example[0] for example in EXAMPLES}
    form = getattr(words, kind.title())
    fields = {field.encode_name for field in msgspec.structs.fields(form)}
    assert [
        name for name in sorted(fields) if not re.search(rf"^\| [^|]*`{name}`[^|]* \|", PAGE, re.M)
    ] == []
