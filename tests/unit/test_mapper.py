"""The mapper: messages become records, or say why not."""

from datetime import UTC, date, datetime, time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.pipelines.mapper import MOST_RECORDS, Column, Mapper


def mapper(*columns: dict[str, Any]) -> Mapper:
    return Mapper(msgspec.convert(list(columns), list[Column]))


def of(path: str, **more: Any) -> dict[str, Any]:
    return {"key": "k", "path": path, **more}


def only(column: dict[str, Any], message: Any) -> Any:
    """The value of the one column of the one record."""
    [record] = mapper(column).map([message]).records
    return record["k"]


def reason(column: dict[str, Any], message: Any) -> str:
    mapped = mapper(column).map([message])
    assert mapped.records == []
    [miss] = mapped.failed[0].misses
    return miss.reason


def test_a_message_becomes_a_record_with_the_columns_in_their_order():
    mapped = mapper(
        {"key": "id", "path": "$.user.id", "cast": "int"},
        {"key": "source", "static": "crm"},
        {"key": "first", "path": "$.tags[0]"},
    ).map([{"user": {"id": "7"}, "tags": ["a", "b"]}])
    assert list(mapped.records[0].items()) == [("id", 7), ("source", "crm"), ("first", "a")]


def test_a_wildcard_gives_a_record_for_each_element_and_repeats_what_is_above():
    mapped = mapper(
        {"key": "order", "path": "$.id"},
        {"key": "sku", "path": "$.items[*].sku"},
        {"key": "price", "path": "$.items[*].price"},
    ).map([{"id": 1, "items": [{"sku": "a", "price": 2}, {"sku": "b", "price": 3}]}])
    assert [tuple(r.values()) for r in mapped.records] == [(1, "a", 2), (1, "b", 3)]


def test_an_element_without_a_value_leaves_its_neighbours_where_they_are():
    mapped = mapper(
        {"key": "sku", "path": "$[*].sku".replace("$", "$.items")},
        {"key": "note", "path": "$.items[*].note"},
    ).map([{"items": [{"sku": "a"}, {"sku": "b", "note": "gift"}]}])
    assert [tuple(r.values()) for r in mapped.records] == [("a", None), ("b", "gift")]


def test_two_lists_of_one_depth_are_zipped_and_the_shorter_ends_in_nulls():
    mapped = mapper({"key": "a", "path": "$.a[*]"}, {"key": "b", "path": "$.b[*]"}).map(
        [{"a": [1, 2, 3], "b": ["x", "y"]}]
    )
    assert [tuple(r.values()) for r in mapped.records] == [(1, "x"), (2, "y"), (3, None)]


def test_a_deeper_list_stays_with_the_element_it_belongs_to():
    mapped = mapper(
        {"key": "sku", "path": "$.items[*].sku"}, {"key": "tag", "path": "$.items[*].tags[*]"}
    ).map([{"items": [{"sku": "a", "tags": ["x", "y"]}, {"sku": "b"}]}])
    assert [tuple(r.values()) for r in mapped.records] == [("a", "x"), ("a", "y"), ("b", None)]


def test_more_than_nine_elements_stay_in_their_order():
    mapped = mapper({"key": "n", "path": "$.all[*]"}).map([{"all": list(range(25))}])
    assert [record["n"] for record in mapped.records] == list(range(25))


@pytest.mark.parametrize("message", [{"items": []}, {}, {"items": None}])
def test_a_message_without_elements_is_not_lost(message: Any):
    mapped = mapper({"key": "id", "static": 1}, {"key": "sku", "path": "$.items[*].sku"})
    assert mapped.map([message]).records == [{"id": 1, "sku": None}]


def test_a_filter_chooses_elements_and_keeps_their_columns_together():
    mapped = mapper(
        {"key": "sku", "path": "$.items[?@.n > 1].sku"}, {"key": "n", "path": "$.items[?@.n > 1].n"}
    ).map([{"items": [{"sku": "a", "n": 1}, {"n": 2}, {"sku": "c", "n": 3}]}])
    assert [tuple(r.values()) for r in mapped.records] == [(None, 2), ("c", 3)]


def test_members_found_at_any_depth_are_numbered_as_they_come():
    found = mapper({"key": "id", "path": "$..id"}).map([{"id": 1, "more": {"id": 2}}])
    assert [record["id"] for record in found.records] == [1, 2]


def test_one_bad_message_does_not_sink_the_others():
    mapped = mapper({"key": "n", "path": "$.n", "cast": "int"}).map(
        [{"n": 1}, {"n": "x"}, {"n": 3}]
    )
    assert [record["n"] for record in mapped.records] == [1, 3]
    assert [failed.index for failed in mapped.failed] == [1]


def test_every_column_that_misses_says_why():
    mapped = mapper(
        {"key": "id", "path": "$.id", "primary_key": True},
        {"key": "at", "path": "$.at", "cast": "date"},
        {"key": "name", "path": "$.name", "nullable": False},
    ).map([{"at": "soon"}])
    assert {miss.key: miss.reason for miss in mapped.failed[0].misses} == {
        "id": "there is no value at $.id",
        "at": '"soon" is no ISO 8601 date or time; give a cast_format',
        "name": "there is no value at $.name",
    }


def test_a_message_that_would_become_too_many_records_is_refused():
    many = {"all": [0] * (MOST_RECORDS + 1)}
    assert f"{MOST_RECORDS} are allowed" in reason(of("$.all[*]"), many)


@pytest.mark.parametrize(
    ("cast", "value", "expected"),
    [
        ("string", 1.5, "1.5"),
        ("string", True, "true"),
        ("string", {"a": [1]}, '{"a":[1]}'),
        ("int", " -12 ", -12),
        ("int", 3.0, 3),
        ("int", True, 1),
        ("float", "1e3", 1000.0),
        ("float", 2, 2.0),
        ("bool", "Yes", True),
        ("bool", 0, False),
        ("date", "2026-03-29T01:30:00+02:00", date(2026, 3, 29)),
        ("datetime", "2026-01-31T10:00:00Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("time", "10:30", time(10, 30)),
    ],
)
def test_a_cast_gives_the_type_that_it_names(cast: str, value: Any, expected: Any):
    result = only(of("$.v", cast=cast), {"v": value})
    assert (type(result), result) == (type(expected), expected)


@pytest.mark.parametrize(
    ("cast", "form", "value", "expected"),
    [
        ("date", "%d/%m/%Y", "31/12/2025", date(2025, 12, 31)),
        ("time", "%Hh%M", "10h30", time(10, 30)),
        ("datetime", "unix", 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("datetime", "unix_ms", "1500", datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)),
        ("date", "unix", 86_400, date(1970, 1, 2)),
    ],
)
def test_a_cast_reads_times_in_the_form_that_is_given(cast: str, form: str, value: Any, expected):
    assert only(of("$.v", cast=cast, cast_format=form), {"v": value}) == expected


@pytest.mark.parametrize(
    ("cast", "value"),
    [
        ("int", "1.5"),
        ("int", 1.5),
        ("int", "٣x"),
        ("int", "9" * 39),
        ("int", [1]),
        ("float", "nan"),
        ("float", 10**400),
        ("bool", "maybe"),
        ("bool", 2),
        ("date", 20260131),
        ("datetime", "2026-13-01"),
        ("time", "25:00"),
    ],
)
def test_a_value_that_does_not_fit_is_a_reason_and_never_a_guess(cast: str, value: Any):
    assert " is n" in reason(of("$.v", cast=cast), {"v": value})


def test_a_long_value_is_cut_in_the_reason():
    assert len(reason(of("$.v", cast="int"), {"v": "x" * 5000})) < 100


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ([], "config"),
        ([{"key": "", "path": "$.a"}], "config.0.key"),
        ([{"key": "a"}], "config.0"),
        ([{"key": "a", "path": "$.a", "static": 1}], "config.0"),
        ([{"key": "a", "path": "$.["}], "config.0.path"),
        ([{"key": "a", "path": "$[?search(@.a,'(x+)+y')]"}], "config.0.path"),
        ([{"key": "a", "path": "$." + "a" * 600}], "config.0.path"),
        ([{"key": "a", "path": "$..a..b"}], "config.0.path"),
        ([{"key": "a", "path": "$[?!(@.a > 1 && @..b)]"}], "config.0.path"),
        ([{"key": "a", "path": "$[?count(@.*) > 1]"}], "config.0.path"),
        ([{"key": "a", "path": "$.a", "cast_format": "%d"}], "config.0.cast_format"),
        ([{"key": "a", "static": "x", "cast": "int"}], "config.0.static"),
        ([{"key": "a", "path": "$.a"}, {"key": "a", "path": "$.b"}], "config.1.key"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_place(columns: list[Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        mapper(*columns)
    assert refused.value.field == field


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "1", "x", "2026-01-31"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
messages = st.lists(st.dictionaries(st.sampled_from("abc"), json_values), max_size=5)
paths = st.lists(st.sampled_from([".a", ".b", "['c']", "[0]", "[-1]"]), min_size=1, max_size=3)


@given(messages, paths)
def test_a_path_to_one_value_finds_what_the_standard_says(given: list[Any], steps: list[str]):
    """Whole columns at once give what the query gives for each message alone."""
    from jsonpath_rfc9535 import find

    path = "$" + "".join(steps)
    expected = [[node.value for node in find(path, message)] for message in given]
    records = mapper(of(path)).map(given).records
    assert [record["k"] for record in records] == [
        values[0] if values else None for values in expected
    ]


@given(messages, st.sampled_from(["int", "float", "bool", "date", "string", "time"]))
def test_whatever_comes_is_a_record_or_a_failure(given: list[Any], cast: str):
    mapped = mapper(of("$.a", cast=cast), {"key": "l", "path": "$.b[*]"}).map(given)
    whole = mapper(of("$.a", cast=cast)).map(given)
    assert len(whole.records) + len(whole.failed) == len(given)
    assert {failed.index for failed in mapped.failed} == {failed.index for failed in whole.failed}
