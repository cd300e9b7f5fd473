"""Which part of a range is read from rollups, and which from the rows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.query.catalog import DAY, HOUR, MINUTE, QUARTER
from service.query.parameters import Filters, MetricsParameters, Range
from service.query.planner import cover, plan_metrics


def planned(start, end, *, interval=HOUR, filters=None, open_end=False):
    asked = MetricsParameters(Range(start, end), interval, "UTC", filters or Filters(), 10)
    return plan_metrics("env_test", asked, open_end=open_end)


def a_plan(start, end, **how):
    plan = planned(start, end, **how)
    return {statement.name: statement.values for statement in plan.statements}


def test_a_range_of_whole_buckets_leaves_no_edges():
    found = cover(Range(QUARTER, 3 * QUARTER), QUARTER, open_end=False)
    assert found.whole == (QUARTER, 3 * QUARTER)
    assert found.left == (QUARTER, QUARTER)
    assert found.right == (3 * QUARTER, 3 * QUARTER)


def test_an_open_end_takes_the_last_bucket_whole():
    found = cover(Range(1, QUARTER + 1), QUARTER, open_end=True)
    assert found.whole == (QUARTER, 2 * QUARTER)
    assert found.right == (QUARTER + 1, QUARTER + 1)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**9), st.booleans())
def test_whole_buckets_and_edges_make_up_the_range(start, length, open_end):
    found = cover(Range(start, start + length), QUARTER, open_end)
    pieces = [piece for piece in (found.left, found.whole, found.right) if piece[0] < piece[1]]
    assert pieces[0][0] == start
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert found.whole[0] % QUARTER == found.whole[1] % QUARTER == 0 or found.right == found.whole
    end = pieces[-1][1]
    assert end == start + length or (open_end and 0 < end - (start + length) < QUARTER)


def test_whole_days_are_read_by_the_day():
    visitors = a_plan(DAY - HOUR, 3 * DAY + HOUR)["metrics_users"]
    assert (visitors["days_from"], visitors["days_to"]) == (DAY, 3 * DAY)
    assert (visitors["whole_from"], visitors["whole_to"]) == (DAY - HOUR, 3 * DAY + HOUR)


def test_no_whole_day_means_that_all_quarters_come_before_the_days():
    visitors = a_plan(HOUR, 3 * HOUR)["metrics_users"]
    assert visitors["days_from"] == visitors["days_to"] == visitors["whole_to"] == 3 * HOUR


@pytest.mark.parametrize("filters", [Filters("click"), Filters(user_id="a")])
def test_with_a_filter_visitors_are_counted_from_the_rows(filters):
    visitors = a_plan(0, DAY, filters=filters)["metrics_users"]
    assert (visitors["left_from"], visitors["left_to"]) == (0, DAY)
    assert visitors["whole_from"] == visitors["whole_to"]


def test_minutes_carry_the_type_but_not_the_user():
    by_type = a_plan(0, DAY, filters=Filters("click"))["metrics_counts"]
    assert (by_type["whole_from"], by_type["whole_to"]) == (0, DAY)
    by_user = a_plan(0, DAY, filters=Filters(user_id="a"))["metrics_counts"]
    assert by_user["whole_from"] == by_user["whole_to"]


def test_buckets_shorter_than_a_minute_are_counted_from_the_rows():
    counts = a_plan(0, 10 * MINUTE, interval=MINUTE // 6)["metrics_counts"]
    assert (counts["left_from"], counts["left_to"]) == (0, 10 * MINUTE)


def test_what_lies_beyond_an_open_end_is_looked_for_up_to_the_end_of_the_last_bucket():
    statements = a_plan(0, HOUR + 1, open_end=True)
    assert statements["metrics_beyond"]["beyond"] == HOUR + QUARTER
    assert "metrics_beyond" not in a_plan(0, HOUR + 1)


@pytest.mark.parametrize(
    ("start", "filters", "source"),
    [
        (0, Filters(), "rollup"),
        (1, Filters(), "mixed"),
        (0, Filters("click"), "mixed"),
        (0, Filters(user_id="a"), "raw"),
    ],
)
def test_a_plan_says_where_its_answer_is_read_from(start, filters, source):
    assert planned(start, DAY, filters=filters).source == source
