"""Definitions of saved questions: what is refused, and what parameters become."""

import json
from typing import Any

import msgspec
import pytest

from service.errors import InvalidInput
from service.query.language.question import Question
from service.query.saved.definition import OURS, kept, question_with, read_definition, written
from tests.queries.test_query_injection import PAYLOADS

PLACE = {"param": "x"}
NOW = 1_700_000_000_000


def a_definition(question: Any = None, **changed: Any) -> dict[str, Any]:
    """A definition with one parameter `x`, a text that a field is compared with."""
    usual = {
        "metrics": ["events"],
        "filters": [{"op": "is", "field": "payload.a", "value": PLACE}],
    }
    known = {
        "question": usual if question is None else question,
        "parameters": {"x": {"type": "text"}},
    }
    return known | changed


def asked(definition: dict[str, Any], **given: str) -> Question:
    found = read_definition(json.dumps(definition).encode(), NOW)
    return question_with(kept(written(found)), given, NOW)


def value_of(question: Question) -> Any:
    [found] = question.filters
    return msgspec.structs.asdict(found).get("value", msgspec.structs.asdict(found).get("values"))


@pytest.mark.parametrize("payload", PAYLOADS[::3])
def test_whatever_a_parameter_says_is_a_value(payload: str):
    assert value_of(asked(a_definition(), x=payload)) == payload


def test_a_parameter_cannot_become_another_part_of_the_document():
    assert value_of(asked(a_definition(), x='{"op":"exists"}')) == '{"op":"exists"}'
    assert value_of(asked(a_definition(), x='{"param":"x"}')) == '{"param":"x"}'


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "", ""),
        ("text", "5", "5"),
        ("number", "5", 5.0),
        ("number", "-2.5e3", -2500.0),
        ("boolean", "true", True),
        ("boolean", "false", False),
    ],
)
def test_a_value_has_the_type_of_its_parameter(kind: str, text: str, value: Any):
    found = value_of(asked(a_definition(parameters={"x": {"type": kind}}), x=text))
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        ("texts", "a,b", ("a", "b")),
        ("texts", '["a,b","c"]', ("a,b", "c")),
        ("texts", "5", ("5",)),
        ("numbers", "1,2.5", (1.0, 2.5)),
        ("numbers", "[1,2]", (1.0, 2.0)),
    ],
)
def test_a_list_stands_between_commas_or_as_json(kind: str, text: str, values: tuple[Any, ...]):
    question = {
        "metrics": ["events"],
        "filters": [{"op": "in", "field": "payload.a", "values": PLACE}],
    }
    definition = a_definition(question, parameters={"x": {"type": kind}})
    assert value_of(asked(definition, x=text)) == values


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", ""),
        ("number", "1e999"),
        ("number", "nan"),
        ("number", "x"),
        ("number", '"5"'),
        ("boolean", "True"),
        ("boolean", "1"),
        ("numbers", "1,,2"),
        ("texts", "[1"),
        ("texts", "[[]]"),
        ("number", "\ud800"),
    ],
)
def test_a_value_of_another_type_is_told_by_the_parameter(kind: str, text: str):
    field = "values" if kind.endswith("s") else "value"
    op = "in" if kind.endswith("s") else "is"
    question = {"metrics": ["events"], "filters": [{"op": op, "field": "payload.a", field: PLACE}]}
    with pytest.raises(InvalidInput) as refused:
        asked(a_definition(question, parameters={"x": {"type": kind}}), x=text)
    assert refused.value.field == "x"


def test_a_default_stands_for_what_is_not_given():
    definition = a_definition(parameters={"x": {"type": "text", "default": "ada"}})
    assert value_of(asked(definition)) == "ada"
    assert value_of(asked(definition, x="bob")) == "bob"


@pytest.mark.parametrize(
    ("given", "field", "about"),
    [
        ({}, "x", "missing"),
        ({"x": "c"}, "x", "one of a, b"),
        ({"x": "a", "y": "b"}, "y", "there are x, cursor"),
        ({"x": "a", "cursor": "no"}, "cursor", "cursor"),
    ],
)
def test_what_may_not_be_given_is_named(given: dict[str, str], field: str, about: str):
    parameters = {"x": {"type": "text", "allowed": ["a", "b"]}}
    with pytest.raises(InvalidInput, match=about) as refused:
        asked(a_definition(parameters=parameters), **given)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("place", "text"),
    [("range", "1y"), ("limit", "0"), ("tz", "Mars/Base"), ("interval", "7m")],
)
def test_a_value_that_the_question_refuses_is_told_by_the_parameter(place: str, text: str):
    question = {"metrics": ["events"], "dimensions": ["time", "userId"], place: PLACE}
    kind = "number" if place == "limit" else "text"
    with pytest.raises(InvalidInput) as refused:
        asked(a_definition(question, parameters={"x": {"type": kind}}), x=text)
    assert refused.value.field == "x"


def test_where_a_name_is_expected_only_a_name_of_the_language_will_do():
    question = {"metrics": ["events"], "dimensions": [PLACE]}
    assert asked(a_definition(question), x="userId").dimensions == ("userId",)
    with pytest.raises(InvalidInput) as refused:
        asked(a_definition(question), x="user_id; DROP TABLE events")
    assert refused.value.field == "x"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"question": {"metrics": ["event"]}, "parameters": {}}, "question.metrics[0]"),
        ({"question": {}, "parameters": {}}, "question.metrics"),
        ({"question": 5}, "question"),
        ({"kind": "sql"}, "kind"),
        ({"cacheSeconds": 7}, "cacheSeconds"),
        ({"parameters": {}}, "question.filters[0].value"),
        ({"parameters": {"x": {"type": "text"}, "y": {"type": "text"}}}, "parameters.y"),
        ({"parameters": {"x": {"type": "number", "default": "5"}}}, "parameters.x.default"),
        ({"parameters": {"x": {"type": "text", "allowed": [5]}}}, "parameters.x.allowed[0]"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_wrong_definition_is_told_by_its_place(changed: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        read_definition(json.dumps(a_definition(**changed)).encode(), NOW)
    assert refused.value.field == field


def test_a_default_is_one_of_those_allowed():
    parameters = {"x": {"type": "text", "default": "c", "allowed": ["a", "b"]}}
    with pytest.raises(InvalidInput) as refused:
        asked(a_definition(parameters=parameters))
    assert refused.value.field == "parameters.x.default"


@pytest.mark.parametrize("name", OURS)
def test_a_parameter_is_not_called_as_the_requests_own_are(name: str):
    question = {"metrics": ["events"], "tz": {"param": name}}
    with pytest.raises(InvalidInput, match="may not be called"):
        asked(a_definition(question, parameters={name: {"type": "text"}}))


def test_a_definition_without_a_bottom_is_refused():
    deep = b'{"question": {"metrics": ["events"], "filters": ' + b"[" * 5000 + b"]" * 5000 + b"}}"
    with pytest.raises(InvalidInput):
        read_definition(deep, NOW)
