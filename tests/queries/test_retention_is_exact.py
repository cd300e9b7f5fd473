"""Whoever comes back when: the answer is what looking at one user after the other gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.query.catalog import DAY
from tests.queries.naive_journeys import calendar_periods, naive_retention
from tests.queries.test_answers_are_exact import ranges, tell
from tests.queries.test_funnels_are_exact import ask, asked, histories, steps
from tests.queries.test_queries_are_exact import filters, forty_stories, span

__all__ = ["asked"]


@st.composite
def documents(draw):
    some = st.fixed_dictionaries({"event": st.sampled_from(["view", "cart"])}) | steps()
    found = {
        "start": draw(some),
        "period": draw(st.sampled_from(["day", "week", "month"])),
        "kind": draw(st.sampled_from(["first", "recurring"])),
        "filters": draw(st.just([]) | st.lists(filters(), max_size=1)),
    }
    return found | draw(st.just({}) | st.fixed_dictionaries({"return": some}))


@pytest.mark.timeout(300)
@forty_stories
@given(st.data())
def test_retention_of_any_events(asked, data):
    zone, start, end = data.draw(ranges())
    end += data.draw(st.sampled_from([0, DAY, 10 * DAY, 40 * DAY]))
    document = {**data.draw(documents()), "tz": zone, "range": span(start, end)}
    far = data.draw(st.sampled_from([DAY, 6 * DAY, 1000]))
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, data.draw(histories(start, end, far))))
    periods = calendar_periods((start, end), document["period"], zone)
    expected = naive_retention(events, document, (start, end), periods)
    answer = ask(asked, "retention", tenant, document)
    assert {name: answer.get(name) for name in expected} == expected
