"""Whichever way users take, the answer is what following one after the other gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.queries.naive_journeys import naive_paths
from tests.queries.test_answers_are_exact import ranges, tell
from tests.queries.test_funnels_are_exact import WINDOWS, ask, asked, histories, steps
from tests.queries.test_queries_are_exact import filters, forty_stories, span

__all__ = ["asked"]


@st.composite
def documents(draw):
    some = st.fixed_dictionaries({"event": st.sampled_from(["view", "cart"])}) | steps()
    found = {
        "of": draw(st.sampled_from(["eventType", "eventType", "payload.a", "priority", "source"])),
        "depth": draw(st.integers(2, 5)),
        "collapse": draw(st.booleans()),
        "gap": draw(st.sampled_from(sorted(WINDOWS))),
        "limit": draw(st.integers(1, 6)),
        "filters": draw(st.just([]) | st.lists(filters(), max_size=1)),
    }
    way = draw(st.sampled_from(["", "from", "to"]))
    return found | ({way: draw(some)} if way else {})


@pytest.mark.timeout(300)
@forty_stories
@given(st.data())
def test_paths_of_any_events(asked, data):
    _, start, end = data.draw(ranges())
    document = {**data.draw(documents()), "range": span(start, end)}
    gap = WINDOWS[document["gap"]]
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, data.draw(histories(start, end, gap))))
    expected = naive_paths(events, document, (start, end), gap)
    answer = ask(asked, "paths", tenant, document)
    assert {name: answer.get(name) for name in expected} == expected
