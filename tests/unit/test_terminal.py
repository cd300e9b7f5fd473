"""`headrace query`: from words to a document, and from an answer to what a terminal shows."""

import io
import json

import pytest
from rich.console import Console

from service.errors import InvalidInput
from service.query.language.reading import read_question
from service.query.sql.reading import read_sql
from service.terminal.drawing import bar, draw, footer, spark
from service.terminal.wording import OPERATORS, Wording, filter_of, query_of, sql_of

NOW = 1_767_355_200_000


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("type is login", {"op": "is", "field": "eventType", "value": "login"}),
        ("type is 5", {"op": "is", "field": "eventType", "value": "5"}),
        ("user is not ada", {"op": "is_not", "field": "userId", "value": "ada"}),
        ("user is nothing", {"op": "is", "field": "userId", "value": "nothing"}),
        ("source = null", {"op": "is", "field": "source", "value": None}),
        ("source in web, app", {"op": "in", "field": "source", "values": ["web", "app"]}),
        ("priority not in 1,2", {"op": "not_in", "field": "priority", "values": [1, 2]}),
        ("payload.price>=10", {"op": "gte", "field": "payload.price", "value": 10}),
        ("payload.price < 1.5", {"op": "lt", "field": "payload.price", "value": 1.5}),
        ("payload.vip is true", {"op": "is", "field": "payload.vip", "value": True}),
        ('payload.n is "5"', {"op": "is", "field": "payload.n", "value": "5"}),
        ('payload."a b" exists', {"op": "exists", "field": 'payload."a b"'}),
        ("payload.p starts with /d", {"op": "starts_with", "field": "payload.p", "value": "/d"}),
        ("payload.page contains 5", {"op": "contains", "field": "payload.page", "value": "5"}),
    ],
)  # fmt: skip
def test_a_filter_is_read_as_it_is_said(text, read):
    assert filter_of(text) == read


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", "a filter is a field"),
        ("type", "no operator"),
        ("type iss login", "did you mean 'is'"),
        ("type is", "there is no value"),
        ("payload.a exists really", "nothing follows exists"),
    ],
)
def test_what_is_no_filter_is_told(text, about):
    with pytest.raises(InvalidInput, match=about):
        filter_of(text)


@pytest.mark.parametrize("said", [op for op in OPERATORS if op != "exists"])
def test_the_service_understands_every_operator(said):
    read_question(query_of(Wording(filters=[f"payload.x {said} 5"])), NOW)


def test_a_whole_line_is_a_query_that_the_service_understands():
    wording = Wording(
        metrics=["users", "avg(payload.x)"], by=["type"], range="7d", interval="day", limit=5,
        tz="Europe/Berlin", compare=True, order=["-users"], totals=True, other=True,
    )  # fmt: skip
    question = read_question(query_of(wording), NOW)
    assert question.dimensions == ("time", "eventType")
    assert (question.interval, question.limit, question.totals) == (86_400_000, 5, True)


def test_without_a_word_events_of_the_last_day_are_counted():
    assert json.loads(query_of(Wording()))["metrics"] == ["events"]
    with pytest.raises(InvalidInput, match="belong together"):
        query_of(Wording(start="2026-01-01"))


def test_parameters_of_sql_are_named():
    document = sql_of("SELECT $a, $b", ["a=5", "b=x=y"], 10)
    assert read_sql(document, NOW).parameters == {"a": 5, "b": "x=y"}
    with pytest.raises(InvalidInput, match="name=value"):
        sql_of("SELECT 1", ["a"], None)


def test_sparks_and_bars_are_as_high_as_their_values():
    assert spark([0, 1, None, 7, 8]) == "▁▂ ▇█"
    assert spark([3, 3]) == "██"
    assert spark([]) == ""
    assert [len(bar(value, 8)) for value in (0, None, -1, 4, 8)] == [0, 0, 0, 12, 24]


def drawn(answer: dict) -> str:
    console = Console(file=io.StringIO(), width=120)
    draw(console, answer)
    return console.file.getvalue()


def a_row(metrics: dict, **dimensions) -> dict:
    return {"dimensions": dimensions, "metrics": metrics}


def test_groups_have_bars_and_groups_in_time_have_sparks():
    flat = drawn({"rows": [a_row({"events": 1200}, eventType="login")], "source": "raw"})
    assert "login" in flat
    assert "1,200" in flat
    assert "█" * 24 in flat
    rows = [a_row({"events": n}, time=f"t{n}", eventType="login") for n in (1, 9)]
    assert "▂█" in drawn({"rows": rows})


def test_rows_of_sql_are_a_table():
    columns = [{"name": "kind", "type": "text"}, {"name": "n", "type": "whole"}]
    shown = drawn({"columns": columns, "rows": [["a", 5], [None, 7]], "truncated": True})
    assert "kind" in shown
    assert "there is more" in shown


def test_what_strangers_wrote_gives_the_terminal_no_orders():
    shown = drawn({"rows": [a_row({"events": 1}, userId="\x1b[2J[red]x")]})
    assert "\x1b" not in shown
    assert "[red]x" in shown


def test_the_footer_tells_what_is_known():
    told = footer({"asOf": "t", "source": "raw", "rowsRead": 1500, "elapsedMs": 4.2, "cursor": "c"})
    assert told == "as of t · raw · 1,500 rows read · 4.2 ms · there is more: --limit"
    assert footer({"source": "raw", "rowsRead": None}) == "raw"
