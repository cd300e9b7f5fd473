"""Tables for programs that draw: gauges that Prometheus reads, rows and series for Grafana."""

import json
import re
from typing import Any

import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.errors import InvalidInput
from service.formats.choice import DRAWN, GRAFANA, JSON, PROMETHEUS, SERIES, TABLES, format_asked
from service.formats.columns import Column, table_of
from service.formats.drawn import MOST_SERIES, Drawing

FORMS = (JSON, *TABLES, *DRAWN)
SENT_BY_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.2"
)


def a_table(*rows: dict[str, Any]) -> pa.Table:
    return table_of([Column(name) for name in rows[0]], rows)


def gauges(table: pa.Table, *dimensions: str, name: str = "q") -> dict[str, Any]:
    """What Prometheus reads: by name and labels the value."""
    text = Drawing(name, dimensions).encoded(PROMETHEUS, table).decode()
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.items()): s.value for f in families for s in f.samples}


def test_each_metric_is_a_gauge_and_each_row_a_series():
    table = a_table(
        {"source": "EWR", "events": 3, "avg(payload.a)": 1.5}, {"source": "JFK", "events": 0}
    )
    assert gauges(table, "source") == {
        ("headrace_q_events", ("source", "EWR")): 3,
        ("headrace_q_events", ("source", "JFK")): 0,
        ("headrace_q_avg_payload_a", ("source", "EWR")): 1.5,
    }


@pytest.mark.parametrize("text", ['"', "\\", "\n", '\\"\n', "}", "a b", "é", "", '"} 1\nevil 2'])
def test_a_label_means_itself(text: str):
    assert gauges(a_table({"a": text, "events": 1}), "a") == {("headrace_q_events", ("a", text)): 1}


@pytest.mark.parametrize(
    "name", ['payload."a b"', "payload.9", "__name__", "payload.é", "1", "payload.…", "le\n"]
)
def test_names_are_such_as_prometheus_allows(name: str):
    [[series, (label, value)]] = gauges(a_table({name: "x", "events": 1}), name, name="9-a")
    assert re.fullmatch(r"headrace_[a-zA-Z0-9_]+", series)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]*", label)
    assert value == "x"


def test_names_that_would_be_the_same_are_told_apart():
    table = a_table({"payload.a": "x", "payload_a": "y", "p(a)": 1, "p.a": 2})
    assert gauges(table, "payload.a", "payload_a") == {
        ("headrace_q_p_a", ("payload_a", "x"), ("payload_a_2", "y")): 1,
        ("headrace_q_p_a_2", ("payload_a", "x"), ("payload_a_2", "y")): 2,
    }


def test_values_that_are_no_texts_are_written_as_json_and_nothing_as_an_empty_label():
    table = table_of([Column("a"), Column("e", "whole")], [{"a": 2.5, "e": 1}, {"a": None, "e": 2}])
    assert gauges(table, "a") == {
        ("headrace_q_e", ("a", "2.5")): 1,
        ("headrace_q_e", ("a", "")): 2,
    }


def test_too_many_gauges_are_refused():
    rows = [{"a": str(n), "events": n} for n in range(MOST_SERIES + 1)]
    with pytest.raises(InvalidInput, match="lower the `limit`"):
        gauges(a_table(*rows), "a")


TIMES = [
    {"time": "2013-01-02T05:00:00Z", "a": "x", "events": 1},
    {"time": "2013-01-02T06:00:00Z", "a": "x", "events": 2},
]
AT = 1_357_102_800_000


def timed() -> pa.Table:
    return table_of([Column("time", "time"), Column("a"), Column("events", "whole")], TIMES)


def test_a_gauge_has_no_time():
    with pytest.raises(InvalidInput, match="time"):
        gauges(timed(), "time", "a")


def test_grafana_reads_rows_with_times_in_ms():
    rows = json.loads(Drawing("q", ["time", "a"]).encoded(GRAFANA, timed()))
    assert rows[0] == {"time": AT, "a": "x", "events": 1}


def test_grafana_reads_a_series_for_each_group_and_metric():
    series = json.loads(Drawing("q", ["time", "a"]).encoded(SERIES, timed()))
    assert series == [{"target": "x events", "datapoints": [[1, AT], [2, AT + 3_600_000]]}]


def test_grafana_reads_a_table_where_there_is_no_time():
    found = json.loads(Drawing("q", ["a"]).encoded(SERIES, a_table({"a": "x", "events": 1.0})))
    assert found == [
        {
            "type": "table",
            "columns": [{"text": "a", "type": "string"}, {"text": "events", "type": "number"}],
            "rows": [["x", 1.0]],
        }
    ]


def test_a_prometheus_server_gets_gauges_and_everybody_else_json():
    assert format_asked(None, SENT_BY_PROMETHEUS, FORMS) is PROMETHEUS
    assert format_asked(None, "application/json, text/plain, */*", FORMS) is JSON
    assert PROMETHEUS.content_type == b"text/plain; version=0.0.4; charset=utf-8"
