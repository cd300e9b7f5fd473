"""What a question about journeys may say: each mistake is told with its place."""

import json

import pytest

from service.errors import InvalidInput
from service.query.catalog import DAY
from service.query.journeys.kinds import KINDS

NOW = 1_700_000_000_000
LEAST = {
    "funnel": {"steps": [{"event": "a"}, {"event": "b"}]},
    "sessions": {},
    "retention": {"start": {"event": "a"}},
    "paths": {},
}
"""The least that each question has to say."""
DEEP = {"op": "is", "field": "userid", "value": "x"}


def read(kind, /, **asked):
    return KINDS[kind](json.dumps(LEAST[kind] | asked).encode(), NOW)


def steps(*asked):
    return {"steps": [{"event": "a"}, *asked]}


WRONG = [
    ("funnel", steps(), "steps", "length >= 2"),
    ("funnel", steps(*[{"event": "a"}] * 10), "steps", "length <= 10"),
    ("funnel", steps({}), "steps[1]", "needs an `event`, or `filters`"),
    ("funnel", steps({"name": "x"}), "steps[1]", "needs an `event`, or `filters`"),
    ("funnel", steps({"event": ""}), "steps[1].event", "length >= 1"),
    ("funnel", steps({"event": 5}), "steps[1].event", "Expected `str"),
    ("funnel", steps({"evnt": "a"}), "steps[1].evnt", "did you mean `event`?"),
    ("funnel", steps({"filters": [DEEP]}), "steps[1].filters[0].field", "did you mean `userId`?"),
    ("funnel", steps({"filters": [{"op": "iss"}]}), "steps[1].filters[0].op", "mean `is`?"),
    ("funnel", steps({"filters": [{}] * 51}), "steps[1].filters[0].op", "missing"),
    ("funnel", {"window": "1 day"}, "window", "30m, 24h or 7d"),
    ("funnel", {"percentiles": [0]}, "percentiles[0]", ">= 1"),
    ("funnel", {"percentiles": [50] * 6}, "percentiles", "length <= 5"),
    ("funnel", {"dimensions": ["sours"]}, "dimensions[0]", "did you mean `source`?"),
    ("funnel", {"interval": "1d"}, "interval", "needs the dimension `time`"),
    ("funnel", {"step": []}, "step", "did you mean `steps`?"),
    ("funnel", {"compare": "previus"}, "compare", "did you mean `previous`?"),
    ("funnel", {"limit": 0}, "limit", ">= 1"),
    ("funnel", {"tz": "Europe/Pari"}, "tz", "IANA"),
    ("sessions", {"tz": "Europe/Pari"}, "tz", "IANA"),
    ("retention", {"tz": "Europe/Pari"}, "tz", "IANA"),
    ("paths", {"tz": "UTC"}, "tz", "no such field"),
    ("sessions", {"by": "sessionid"}, "by", "did you mean `sessionId`?"),
    ("sessions", {"gap": "0m"}, "gap", "30m, 24h or 7d"),
    ("sessions", {"gab": "30m"}, "gab", "did you mean `gap`?"),
    ("sessions", {"interval": "1d"}, "interval", "needs the dimension `time`"),
    ("retention", {"start": None}, "start", "Expected `object`"),
    ("retention", {"start": {}}, "start", "needs an `event`, or `filters`"),
    ("retention", {"return": {"event": ""}}, "return.event", "length >= 1"),
    ("retention", {"return": {"filters": [DEEP]}}, "return.filters[0].field", "mean `userId`?"),
    ("retention", {"period": "weeks"}, "period", "did you mean `week`?"),
    ("retention", {"kind": "recuring"}, "kind", "did you mean `recurring`?"),
    ("retention", {"range": "200d"}, "range", "more than 100 periods"),
    ("paths", {"from": {"event": "a"}, "to": {"event": "b"}}, "to", "one of both"),
    ("paths", {"to": {}}, "to", "needs an `event`, or `filters`"),
    ("paths", {"from": {"event": "a", "x": 1}}, "from.x", "there are event, filters, name"),
    ("paths", {"of": "eventtype"}, "of", "did you mean `eventType`?"),
    ("paths", {"depth": 1}, "depth", ">= 2"),
    ("paths", {"limit": 201}, "limit", "<= 200"),
    ("paths", {"gap": "half an hour"}, "gap", "30m, 24h or 7d"),
    (
        "funnel",
        {"dimensions": ["time", "source"], "range": "7d", "interval": "1h"},
        "limit",
        "more than 2000 rows",
    ),
]


@pytest.mark.parametrize(("kind", "asked", "place", "said"), WRONG)
def test_a_mistake_is_told_with_its_place_and_what_is_allowed_there(kind, asked, place, said):
    with pytest.raises(InvalidInput) as told:
        read(kind, **asked)
    assert told.value.field == place
    assert said in str(told.value)


COMMON = [
    ({"range": "yesterday"}, "range", "like 15m"),
    ({"range": {"start": "2024-01-02", "end": "2024-01-01"}}, "range.start", "before"),
    ({"range": {"start": "2024-01-02", "ende": "x"}}, "range.ende", "did you mean `end`?"),
    ({"filters": [DEEP]}, "filters[0].field", "did you mean `userId`?"),
    ({"filters": [{"op": "exists", "field": "userId"}] * 51}, "filters", "at most 50"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("asked", "place", "said"), COMMON)
def test_what_all_take_is_checked_everywhere(kind, asked, place, said):
    with pytest.raises(InvalidInput) as told:
        read(kind, **asked)
    assert told.value.field == place
    assert said in str(told.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 5000, b"null"])
def test_what_is_no_document_is_refused(kind, body):
    with pytest.raises(InvalidInput):
        KINDS[kind](body, NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_who_asks_later_for_the_last_day_asks_the_same(kind):
    later = KINDS[kind](json.dumps(LEAST[kind]).encode(), NOW + 5)
    assert later.canonical() == read(kind, range="24h").canonical()


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_of_a_document_makes_another_question(kind):
    parts = {"range": "7d", "filters": [{"op": "exists", "field": "source"}]}
    canonicals = {read(kind, **{name: value}).canonical() for name, value in parts.items()}
    assert len(canonicals | {read(kind).canonical()}) == len(parts) + 1


def test_a_funnel_that_says_little_gives_a_week_from_the_first_step_on():
    asked = read("funnel")
    assert asked.window == 7 * DAY
    assert asked.shape.percentiles == (50, 90, 95)
