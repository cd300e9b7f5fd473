"""What ClickHouse answers as JSON, read as a table."""

import json
from datetime import UTC, date, datetime

import pytest

from service.storage.clickhouse_answers import table_in
from service.storage.cost import Cost, cost_of


def answered(kind: str, *values: object) -> bytes:
    read = {"rows_read": 1000, "bytes_read": 8000}
    return json.dumps(
        {"meta": [{"name": "x", "type": kind}], "data": [[v] for v in values], "statistics": read}
    ).encode()


@pytest.mark.parametrize(
    ("kind", "told", "read"),
    [
        ("UInt64", 18446744073709551615, 18446744073709551615),
        ("UInt64", "18446744073709551615", 18446744073709551615),
        ("Nullable(Int64)", None, None),
        ("LowCardinality(Nullable(String))", "a", "a"),
        ("Float64", 1, 1.0),
        ("Nullable(Float64)", None, None),
        ("Decimal(18, 2)", 1.5, 1.5),
        ("Bool", True, True),
        ("Nullable(Nothing)", None, None),
        ("Date", "2026-11-22", date(2026, 11, 22)),
        ("DateTime('UTC')", "2026-11-22 10:00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        (
            "DateTime64(3, 'UTC')",
            "2026-11-22 10:00:00.250",
            datetime(2026, 11, 22, 10, 0, 0, 250000, UTC),
        ),
        ("Array(Nullable(Float64))", [1, None], [1.0, None]),
        ("Map(String, UInt8)", {"a": 1}, '{"a":1}'),
    ],
)
def test_a_value_is_read_by_its_type(kind, told, read):
    [value] = table_in(answered(kind, told), costs=True)["x"].to_pylist()
    assert (value, type(value)) == (read, type(read))


def test_a_table_of_no_rows_has_its_columns_and_its_cost():
    table = table_in(answered("String"), costs=True)
    assert (table.column_names, table.num_rows) == (["x"], 0)
    assert cost_of([table]) == Cost(1000, 8000)
