"""Whatever is asked of sessions, the answer is what putting events together one by one gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.query.catalog import INTERVALS
from tests.queries.naive_journeys import Sessions
from tests.queries.test_answers_are_exact import ranges, tell
from tests.queries.test_funnels_are_exact import WINDOWS, ask, asked, histories
from tests.queries.test_queries_are_exact import compared, filters, forty_stories, span

__all__ = ["asked"]


@st.composite
def documents(draw, start, end):
    names = ["eventType", "source", "payload.price", "payload.a", "time", "priority"]
    found = {
        "by": draw(st.sampled_from(["gap", "sessionId"])),
        "gap": draw(st.sampled_from(sorted(WINDOWS))),
        "dimensions": draw(st.lists(st.sampled_from(names), max_size=2, unique=True)),
        "filters": draw(st.just([]) | st.lists(filters(), max_size=1)),
        "percentiles": draw(st.lists(st.sampled_from([1, 50, 90]), max_size=3, unique=True)),
        "limit": draw(st.integers(1, 4)),
        "totals": draw(st.booleans()),
        "range": span(start, end),
    }
    if "time" in found["dimensions"]:
        fitting = [n for n, length in INTERVALS.items() if (end - start) / length <= 20]
        found["interval"] = draw(st.sampled_from(fitting))
    return found


@pytest.mark.timeout(300)
@forty_stories
@given(st.data())
def test_sessions_of_any_events(asked, data):
    zone, start, end = data.draw(ranges())
    document = {**data.draw(documents(start, end)), "tz": zone}
    compare, before = data.draw(compared(start, end))
    gap = WINDOWS[document["gap"]]
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, data.draw(histories(start, end, gap))))
    answer = ask(asked, "sessions", tenant, document | compare)
    length = INTERVALS.get(document.get("interval"), 0)
    expected = Sessions(events, document, gap, length).answer((start, end), before)
    assert {name: answer.get(name) for name in expected} == expected
