"""What a caller of a question about journeys relies on, one sentence each."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from service.errors import QuestionTooBig
from service.query.cache import AnswerCache
from service.query.catalog import HOUR
from service.query.journeys.kinds import KINDS
from service.query.run import Questions
from service.settings import Settings
from tests.building import NOON, TENANT, an_event
from tests.storing import AStream, put

NOW = int(NOON.timestamp() * 1000) + HOUR


async def ask(store, kind, /, tenant=TENANT, **asked):
    question = KINDS[kind](json.dumps(asked).encode(), NOW)
    questions = Questions(store, AStream(), AnswerCache(0), Settings())
    return msgspec.json.decode((await questions.journey(tenant, question)).document)


async def tell(store, *moments, user="ada", tenant=TENANT):
    """Events `(seconds past noon, type)` of a user."""
    events = [
        an_event(f"{user}{n}", after=at, event_type=kind, user_id=user)
        for n, (at, kind) in enumerate(moments)
    ]
    await put(store, events, tenant=tenant)


def steps(*kinds):
    return [{"event": kind} for kind in kinds]


async def funnel(store, *kinds, **asked):
    """Of the only row: how many users took each step, and the median from the first on."""
    [row] = (await ask(store, "funnel", steps=steps(*kinds), percentiles=[50], **asked))["rows"]
    users = [step["users"] for step in row["steps"]]
    return users, [step["secondsFromFirst"]["p50"] for step in row["steps"][1:]]


async def test_a_step_at_the_same_moment_as_the_one_before_does_not_follow_it(store):
    await tell(store, (0, "view"), (0, "cart"))
    assert await funnel(store, "view", "cart") == ([1, 0], [None])


async def test_one_event_is_not_two_steps(store):
    await tell(store, (0, "view"))
    assert (await funnel(store, "view", "view"))[0] == [1, 0]


async def test_steps_count_in_their_order_only_whatever_lies_between(store):
    await tell(store, (0, "buy"), (1, "view"), (2, "x"), (3, "cart"), (4, "view"), (5, "buy"))
    assert await funnel(store, "view", "cart", "buy") == ([1, 1, 1], [2.0, 4.0])


async def test_the_window_is_counted_from_the_first_step_and_includes_its_end(store):
    await tell(store, (0, "view"), (40, "cart"), (60, "buy"), user="in")
    await tell(store, (0, "view"), (40, "cart"), (60.001, "buy"), user="out")
    assert (await funnel(store, "view", "cart", "buy", window="60s"))[0] == [2, 2, 1]


async def test_of_equally_deep_runs_the_first_counts(store):
    await tell(store, (0, "view"), (10, "view"), (20, "cart"))
    assert await funnel(store, "view", "cart") == ([1, 1], [20.0])


async def test_a_deeper_run_counts_however_late_it_is(store):
    await tell(store, (0, "view"), (1, "cart"), (300, "view"), (305, "cart"), (306, "buy"))
    assert await funnel(store, "view", "cart", "buy", window="60s") == ([1, 1, 1], [5.0, 6.0])


async def test_who_begins_in_the_range_is_followed_beyond_its_end(store):
    await tell(store, (0, "view"), (60, "cart"), user="in")
    await tell(store, (30, "view"), (60, "cart"), user="too late")
    time = {"start": "2026-01-02T12:00:00Z", "end": "2026-01-02T12:00:30Z"}
    assert await funnel(store, "view", "cart", range=time) == ([1, 1], [60.0])


async def test_an_event_of_nobody_is_no_step(store):
    await tell(store, (0, "view"), (1, "cart"), user="")
    assert (await funnel(store, "view", "cart"))[0] == [0, 0]


async def test_a_user_is_in_each_group_in_which_one_of_his_runs_begins(store):
    shown = [{"page": "a"}, {"page": "b"}, None]
    events = [
        an_event(f"e{n}", after=n, event_type=kind, payload=payload)
        for n, (kind, payload) in enumerate(zip(("view", "view", "cart"), shown, strict=True))
    ]
    await put(store, events)
    asked = {"steps": steps("view", "cart"), "dimensions": ["payload.page"], "totals": True}
    answer = await ask(store, "funnel", **asked)
    assert [row["dimensions"]["payload.page"] for row in answer["rows"]] == ["a", "b"]
    assert [row["steps"][1]["users"] for row in answer["rows"]] == [1, 1]
    assert answer["totals"]["steps"][1]["users"] == 1


async def sessions(store, **asked):
    """The only row: how many sessions, bounces and events, and how long they last on average."""
    [row] = (await ask(store, "sessions", **asked))["rows"]
    found = row["metrics"]
    return [found["sessions"], found["bounces"], found["events"], found["seconds"]["mean"]]


async def test_a_session_ends_where_its_user_does_nothing_for_longer_than_the_gap(store):
    await tell(store, (0, "a"), (60, "a"), (120.001, "a"))
    assert await sessions(store, gap="60s") == [2, 1, 3, 30.0]
    assert await sessions(store, gap="1h") == [1, 0, 3, 120.001]


async def test_each_user_has_sessions_of_his_own_and_nobody_has_none(store):
    await tell(store, (0, "a"), (10, "a"))
    await tell(store, (5, "a"), user="bob")
    await tell(store, (5, "a"), user="")
    assert await sessions(store) == [2, 1, 3, 5.0]


async def test_the_session_that_events_name_goes_before_the_gap_if_that_is_asked_for(store):
    named = [an_event(f"n{n}", after=n * 7200 - 7200, session_id="s") for n in range(2)]
    others = [an_event(f"o{n}", after=n * 7200 - 7200, session_id="") for n in range(2)]
    await put(store, [*named, *others])
    assert await sessions(store, by="sessionId") == [3, 2, 4, 2400.0]
    assert await sessions(store) == [2, 0, 4, 0.0]


async def test_of_equal_moments_the_event_that_came_first_begins_the_session(store):
    await tell(store, (0, "second"), (0, "first"), (1, "a"))
    [row] = (await ask(store, "sessions", dimensions=["eventType"]))["rows"]
    assert row["dimensions"] == {"eventType": "second"}


async def retention(store, *kinds, **asked):
    """Of each period: how many began, and how many of them came back in which."""
    start, *back = steps(*kinds)
    asked |= {"start": start} | ({"return": back[0]} if back else {})
    cohorts = (await ask(store, "retention", range=THREE_DAYS, **asked))["cohorts"]
    return [(cohort["users"], cohort["returned"]) for cohort in cohorts]


THREE_DAYS = {"start": "2026-01-02", "end": "2026-01-05"}
DAY = 86_400


async def test_who_comes_back_is_told_by_the_period_in_which_he_does(store):
    await tell(store, (0, "in"), (1, "in"), (2 * DAY, "in"))
    await tell(store, (DAY, "in"), user="bob")
    assert await retention(store, "in") == [(1, [1, 0, 1]), (1, [0, 0]), (0, [0])]


async def test_the_first_event_is_the_first_of_all_there_are(store):
    await tell(store, (-9 * DAY, "in"), (0, "in"), (DAY, "in"))
    assert await retention(store, "in") == [(0, [0, 0, 0]), (0, [0, 0]), (0, [0])]
    again = await retention(store, "in", kind="recurring")
    assert again == [(1, [0, 1, 0]), (1, [0, 0]), (0, [0])]


async def test_a_return_before_the_start_is_none(store):
    await tell(store, (0, "pay"), (0, "in"), user="same moment")
    await tell(store, (0, "pay"), (1, "in"), (DAY, "pay"), user="later")
    assert (await retention(store, "in", "pay"))[0] == (2, [0, 1, 0])


async def test_months_are_those_of_the_calendar_in_the_zone(store):
    await put(store, [an_event("e1", timestamp=datetime(2026, 3, 1, 4, 59, 59, tzinfo=UTC))])
    time = {"start": "2026-02-10", "end": "2026-04-10"}
    asked = {"start": {"event": "click"}, "period": "month", "tz": "America/New_York"}
    cohorts = (await ask(store, "retention", range=time, **asked))["cohorts"]
    assert [(cohort["time"], cohort["users"]) for cohort in cohorts] == [
        ("2026-02-01T05:00:00Z", 1),
        ("2026-03-01T05:00:00Z", 0),
        ("2026-04-01T04:00:00Z", 0),
    ]


async def paths(store, **asked):
    """The paths and how many journeys took them, and how many took others."""
    answer = await ask(store, "paths", **asked)
    found = ["-".join(map(str, path["steps"])) for path in answer["paths"]]
    taken = [path["journeys"] for path in answer["paths"]]
    return dict(zip(found, taken, strict=True)), answer["other"]["journeys"]


async def test_a_path_leads_from_the_first_such_event_of_a_journey_or_to_the_last(store):
    await tell(store, (0, "x"), (1, "a"), (2, "b"), (3, "a"), (4, "c"))
    assert await paths(store, **{"from": {"event": "a"}}) == ({"a-b-a-c": 1}, 0)
    assert await paths(store, to={"event": "a"}) == ({"x-a-b-a": 1}, 0)
    assert await paths(store, depth=2) == ({"x-a": 1}, 0)


async def test_a_path_has_as_many_steps_as_are_asked_for_at_most(store):
    await tell(store, *enumerate("xxabcdexx"))
    assert await paths(store, depth=4, **{"from": {"event": "a"}}) == ({"a-b-c-d": 1}, 0)
    assert await paths(store, depth=3, to={"event": "e"}) == ({"c-d-e": 1}, 0)


async def test_a_journey_ends_where_its_user_does_nothing_for_longer_than_the_gap(store):
    await tell(store, (0, "a"), (60, "b"), (121, "a"), (122, "c"))
    assert await paths(store, gap="60s") == ({"a-b": 1, "a-c": 1}, 0)


async def test_repeats_are_one_step_if_that_is_asked_for(store):
    await tell(store, (0, "a"), (1, "a"), (2, "b"), (3, "a"))
    assert await paths(store, collapse=True) == ({"a-b-a": 1}, 0)
    assert await paths(store) == ({"a-a-b-a": 1}, 0)


async def test_the_other_paths_are_told_by_their_number(store):
    for n, kinds in enumerate(("ab", "ab", "cd", "ce")):
        await tell(store, *enumerate(kinds), user=f"user{n}")
    assert await paths(store, limit=1) == ({"a-b": 2}, 2)


LEAST = {
    "funnel": {"steps": [{"event": "view"}, {"event": "cart"}]},
    "sessions": {},
    "retention": {"start": {"event": "view"}},
    "paths": {},
}
"""The least that each question has to say."""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tenant_sees_journeys_of_its_own_events_only(store, kind):
    await tell(store, (0, "view"), (1, "cart"), (2, "view"), tenant="env_other")
    nothing = await ask(store, kind, **LEAST[kind])
    assert await ask(store, kind, "env_nobody", **LEAST[kind]) == nothing
    assert await ask(store, kind, "env_other", **LEAST[kind]) != nothing


@pytest.mark.parametrize("kind", KINDS)
async def test_a_question_past_its_time_is_too_big(store, kind):
    await tell(store, (0, "view"))
    questions = Questions(store, AStream(), AnswerCache(0), Settings(query_timeout=0.0))
    with pytest.raises(QuestionTooBig, match="shorter range"):
        await questions.journey(TENANT, KINDS[kind](json.dumps(LEAST[kind]).encode(), NOW))
