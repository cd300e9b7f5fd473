"""Answers about journeys as tables: a line for each row, or for each part of one."""

from typing import Any

import pyarrow as pa

from service.formats.columns import MOMENT
from service.query.journeys.sheet import journey_table


def table(*rows: dict[str, Any]) -> pa.Table:
    question: Any = None  # the document says it all
    return journey_table(question, {"range": {"start": "a", "end": "b"}, "rows": list(rows)})


def test_a_row_of_metrics_is_a_line():
    row = {"dimensions": {"source": "a"}, "metrics": {"sessions": 3, "seconds": {"mean": 1.5}}}
    assert table(row).to_pylist() == [{"source": "a", "sessions": 3, "seconds.mean": 1.5}]


def test_each_step_of_a_row_is_a_line_with_the_rows_dimensions():
    steps = [{"name": "a", "users": 5}, {"name": "b", "users": 2, "secondsFromFirst": {"p50": 7.0}}]
    found = table({"dimensions": {"source": "x"}, "steps": steps}).to_pylist()
    first, second = found
    assert first["steps.secondsFromFirst.p50"] is None
    assert second == {
        "source": "x",
        "place": 1,
        "steps.name": "b",
        "steps.users": 2,
        "steps.secondsFromFirst.p50": 7.0,
    }


def test_each_period_of_a_cohort_is_a_line():
    cohort = {"time": "2026-01-01T00:00:00Z", "users": 4, "returned": [4, 1], "shares": [1.0, 0.25]}
    found = table(cohort).select(["users", "place", "returned", "shares"]).to_pylist()
    assert [list(line.values()) for line in found] == [[4, 0, 4, 1.0], [4, 1, 1, 0.25]]


def test_a_list_of_texts_is_one_value():
    assert table({"steps": ["a", "b"], "users": 2}).to_pylist() == [
        {"steps": '["a","b"]', "users": 2}
    ]


def test_time_is_a_time_and_what_is_compared_stands_beside():
    compared = {"time": "2026-01-01T00:00:00Z", "metrics": {"users": 1}}
    row = {"dimensions": {"time": "2026-01-02T00:00:00Z"}, "metrics": {"users": 2}}
    found = table({**row, "compare": compared})
    assert found["time"].type == MOMENT
    assert found["compare.metrics.users"].to_pylist() == [1]


def test_no_rows_are_a_table_without_columns():
    assert table().num_columns == 0
