"""What a query may say: each mistake is told with its place, and what is allowed there."""

import json

import pytest

from service.errors import InvalidInput
from service.query.language.fields import Path, field_named
from service.query.language.reading import read_question

NOW = 1_700_000_000_000
HOUR = 3_600_000
METRIC = {"metrics": ["events"]}
GROUPED = {**METRIC, "dimensions": ["eventType"]}


def read(**query):
    return read_question(json.dumps(METRIC | query).encode(), NOW)


def a_filter(**found):
    return {"filters": [{"field": "userId", **found}]}


def nested(depth: int):
    found = {"op": "exists", "field": "userId"}
    for _ in range(depth):
        found = {"op": "not", "filter": found}
    return [found]


WRONG = [
    ({"metrics": []}, "metrics", "length >= 1"),
    ({"metrics": ["event"]}, "metrics[0]", "did you mean `events`?"),
    ({"metrics": ["events", "avg(price)"]}, "metrics[1]", "no field `price`"),
    ({"metrics": ["avg(userId)"]}, "metrics[0]", "`userId` is a text"),
    ({"metrics": ["p0(priority)"]}, "metrics[0]", "p1 … p99"),
    ({"metrics": ["average(priority)"]}, "metrics[0]", "avg"),
    ({"metrics": ["events", "events"]}, "metrics", "twice"),
    ({"metrics": [f"p{n}(priority)" for n in range(1, 12)]}, "metrics", "length <= 10"),
    ({"metrics": "events"}, "metrics", "Expected `array`"),
    ({"dimensions": ["eventtype"]}, "dimensions[0]", "did you mean `eventType`?"),
    ({"dimensions": ["times"]}, "dimensions[0]", "did you mean `time`?"),
    ({"dimensions": ["payload"]}, "dimensions[0]", "payload.…"),
    ({"dimensions": ["payload..a"]}, "dimensions[0]", "no field"),
    ({"dimensions": ['payload."\\x"']}, "dimensions[0]", "no field"),
    ({"dimensions": ["payload." + "a" * 500]}, "dimensions[0]", "no field"),
    ({"dimensions": ["payload" + ".a" * 11]}, "dimensions[0]", "no field"),
    ({"dimension": ["time"]}, "dimension", "did you mean `dimensions`?"),
    ({"filters": [{"op": "iss"}]}, "filters[0].op", "did you mean `is`?"),
    ({"filters": [{"op": "is", "field": "userId"}]}, "filters[0].value", "is missing"),
    ({"filters": [{"field": "userId"}]}, "filters[0].op", "is missing"),
    (a_filter(op="is", value="x", x=1), "filters[0].x", "no such field"),
    (a_filter(op="is", value=5), "filters[0].value", "a text"),
    (a_filter(op="is", value=""), "filters[0].value", "at least one character"),
    (a_filter(op="is", value=[]), "filters[0].value", "Expected"),
    (a_filter(op="in", values=["a", True]), "filters[0].values[1]", "a text"),
    (a_filter(op="in", values=[]), "filters[0].values", "length >= 1"),
    (a_filter(op="gt", value=5), "filters[0]", "gt is of numbers"),
    (a_filter(op="contains", value="a", field="priority"), "filters[0]", "contains is of texts"),
    (a_filter(op="is", value="a", field="priority"), "filters[0].value", "a number"),
    (a_filter(op="contains", value=""), "filters[0].value", "length >= 1"),
    ({"filters": [{"op": "or", "filters": []}]}, "filters[0].filters", "length >= 1"),
    ({"filters": nested(8)}, "filters[0]" + ".filter" * 8, "8 deep"),
    ({"filters": nested(0) * 51}, "filters", "at most 50"),
    ({"range": "yesterday"}, "range", "like 15m"),
    ({"range": {"start": "x", "end": "2024-01-01"}}, "range.start", "ISO 8601"),
    ({"range": {"start": "2024-01-02", "end": "2024-01-01"}}, "range.start", "before"),
    ({"range": {"start": "2024-01-02"}}, "range.end", "is missing"),
    ({"range": {"start": "2024-01-02", "ende": "x"}}, "range.ende", "did you mean `end`?"),
    ({"interval": "1h"}, "interval", "needs the dimension `time`"),
    ({"dimensions": ["time"], "interval": "1hour"}, "interval", "1h"),
    ({"dimensions": ["time"], "interval": "10s", "range": "30d"}, "interval", "10000 buckets"),
    ({"tz": "Europe/Pari"}, "tz", "IANA"),
    ({"compare": "before"}, "compare", "previous"),
    ({"compare": "previous", "range": {"start": "0002-01-02", "end": "9000-01-01"}}, "compare", ""),
    ({**GROUPED, "order": ["users"]}, "order[0]", "events, eventType"),
    ({**GROUPED, "order": ["-event"]}, "order[0]", "did you mean `events`?"),
    ({"order": ["events"]}, "order[0]", "nothing to be put in order"),
    ({"limit": 0}, "limit", ">= 1"),
    ({"limit": 1001}, "limit", "<= 1000"),
    ({"cursor": "x"}, "cursor", "not one that an answer gave"),
    ({"other": True}, "other", "needs a dimension"),
    (
        {"dimensions": ["time", "userId"], "interval": "1m", "limit": 20},
        "limit",
        "more than 20000 rows",
    ),
]


@pytest.mark.parametrize(("query", "place", "said"), WRONG)
def test_a_mistake_is_told_with_its_place_and_what_is_allowed_there(query, place, said):
    with pytest.raises(InvalidInput) as told:
        read(**query)
    assert told.value.field == place
    assert said in str(told.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 5000, b'{"metrics":["events"]'])
def test_what_is_no_query_is_refused(body):
    with pytest.raises(InvalidInput):
        read_question(body, NOW)


def test_a_mistake_is_not_said_back_at_length():
    with pytest.raises(InvalidInput) as told:
        read(metrics=["e" * 10_000])
    assert len(str(told.value)) < 400


def test_a_query_that_says_little_is_about_the_last_day():
    question = read()
    assert (question.range.start, question.range.end) == (NOW - 24 * HOUR, NOW)
    assert question.canonical() == read(range="24h").canonical()


def test_who_asks_later_for_the_last_day_asks_the_same():
    later = read_question(json.dumps(METRIC).encode(), NOW + 5)
    assert later.canonical() == read().canonical()


def test_every_part_of_a_query_makes_another_question():
    parts = {
        "metrics": ["users"],
        "dimensions": ["time"],
        "filters": [{"op": "exists", "field": "source"}],
        "range": "7d",
        "tz": "Europe/Prague",
        "compare": "previous",
        "limit": 5,
        "totals": True,
    }
    canonicals = {read(**{name: value}).canonical() for name, value in parts.items()}
    assert len(canonicals | {read().canonical()}) == len(parts) + 1


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("payload.a", ("a",)),
        ("payload.a.b.c", ("a", "b", "c")),
        ('payload."a.b".c', ("a.b", "c")),
        ('payload."q\\"t"', ('q"t',)),
        ('payload.""', ("",)),
        ("payload.a-b c$*", ("a-b c$*",)),
    ],
)
def test_a_path_is_its_keys(name, keys):
    assert field_named(name, "") == Path("payload", keys)
