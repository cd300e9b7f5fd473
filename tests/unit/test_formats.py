"""Tables as files: which form is asked for, what a column holds, and what is written."""

import csv
import io
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from service.errors import NotAcceptable
from service.formats.choice import ARROW, CSV, JSON, NDJSON, PARQUET, TABLES, Format, format_asked
from service.formats.columns import DOCUMENT, Column, columns_in, flat, table_of
from service.formats.encoders import encoded, encoder_of

FORMS = (JSON, *TABLES)


def asked(accept: str = "", named: str | None = None) -> str:
    return format_asked(named, accept, FORMS).name


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/csv", "csv"),
        ("Text/CSV; charset=utf-8", "csv"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "json"),
        ("application/json;q=0.5, text/*", "csv"),
        ("application/jsonl", "ndjson"),
        ("application/vnd.apache.parquet, */*;q=0.1", "parquet"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("*/*, application/json;q=0", "csv"),
        ("nonsense", "json"),
    ],
)
def test_accept_says_which_form_is_liked_best(accept: str, name: str):
    assert asked(accept) == name


def test_a_form_that_is_named_goes_before_accept():
    assert asked("text/csv", named="parquet") == "parquet"


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/csv;q=0.0, text/x"])
def test_accept_that_no_form_meets_is_refused_with_those_there_are(accept: str):
    with pytest.raises(NotAcceptable, match="application/json or text/csv") as refused:
        asked(accept)
    assert refused.value.field == "accept"


@pytest.mark.parametrize(("named", "meant"), [("xml", ""), ("cvs", "csv"), ("", "")])
def test_a_form_that_there_is_not_is_refused_with_those_there_are(named: str, meant: str):
    with pytest.raises(NotAcceptable, match="json, csv, ndjson, parquet, arrow") as refused:
        asked(named=named)
    assert ("did you mean" in str(refused.value)) == bool(meant)


ROWS = [
    {"at": "2013-01-02T05:00:00Z", "who": "ada", "n": 1, "x": 2.5, "ok": True},
    {"at": "2013-01-02T05:00:00.250Z", "who": "", "n": None, "x": None, "ok": None},
]
COLUMNS = [
    Column("at", "time"),
    Column("who", "text"),
    Column("n", "whole"),
    Column("x", "number"),
    Column("ok", "truth"),
]


def test_csv_has_a_line_of_names_and_tells_nothing_from_an_empty_text():
    assert encoded(CSV, table_of(COLUMNS, ROWS)) == (
        b'"at","who","n","x","ok"\r\n'
        b'"2013-01-02T05:00:00.000Z","ada",1,2.5,true\r\n'
        b'"2013-01-02T05:00:00.250Z","",,,\r\n'
    )


def test_ndjson_has_a_document_a_line():
    lines = encoded(NDJSON, table_of(COLUMNS, ROWS)).splitlines()
    assert [json.loads(line)["at"] for line in lines] == [
        "2013-01-02T05:00:00.000Z",
        "2013-01-02T05:00:00.250Z",
    ]
    assert [json.loads(line)["n"] for line in lines] == [1, None]


def test_parquet_and_arrow_give_back_the_table():
    table = table_of(COLUMNS, ROWS)
    assert parquet.read_table(io.BytesIO(encoded(PARQUET, table))).equals(table)
    assert pa.ipc.open_stream(encoded(ARROW, table)).read_all().equals(table)


@pytest.mark.parametrize("form", TABLES, ids=lambda form: form.name)
def test_a_table_without_rows_has_its_columns(form: Format):
    content = encoded(form, table_of(COLUMNS, []))
    names = {
        "csv": lambda: read_csv(content)[0],
        "ndjson": lambda: [column.name for column in COLUMNS] if content == b"" else None,
        "parquet": lambda: parquet.read_table(io.BytesIO(content)).column_names,
        "arrow": lambda: pa.ipc.open_stream(content).read_all().column_names,
    }
    assert names[form.name]() == [column.name for column in COLUMNS]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_and_no_name_is_a_formula(text: str):
    [[name], [cell]] = read_csv(encoded(CSV, table_of([Column(text, "text")], [{text: text}])))
    assert (name, cell) == (f"'{text}", f"'{text}")


@pytest.mark.parametrize("text", ["a=1", "1-1", " =1", '"', "a,b", "a\r\nb", "'", "ä", "𝒳"])
def test_other_texts_stay_as_they_are(text: str):
    assert read_csv(encoded(CSV, table_of([Column("a")], [{"a": text}])))[1] == [text]


def test_numbers_stay_numbers_though_they_begin_with_a_sign():
    assert encoded(CSV, table_of([Column("x")], [{"x": -1.5}])) == b'"x"\r\n-1.5\r\n'


def test_formulas_are_left_alone_where_no_spreadsheet_reads():
    [line] = encoded(NDJSON, table_of([Column("a")], [{"a": "=1+1"}])).splitlines()
    assert json.loads(line) == {"a": "=1+1"}


@pytest.mark.parametrize(
    ("values", "kind", "held"),
    [
        ([1.5, None, 2], pa.float64(), [1.5, None, 2.0]),
        ([True, None], pa.bool_(), [True, None]),
        (["a", None], pa.string(), ["a", None]),
        ([None], pa.string(), [None]),
        (["5", 5.0, True], pa.string(), ["5", "5.0", "true"]),
        ([["a"], None], pa.string(), ['["a"]', None]),
    ],
)
def test_a_column_of_several_kinds_becomes_texts(values: list, kind: pa.DataType, held: list):
    table = table_of([Column("a")], [{"a": value} for value in values])
    assert (table["a"].type, table["a"].to_pylist()) == (kind, held)


def test_objects_of_a_row_become_columns():
    rows = [flat({"a": {"b": 1, "c": {"d": 2}}}), {"e": 3}]
    assert [column.name for column in columns_in(rows)] == ["a.b", "a.c.d", "e"]


def test_a_document_in_a_column_is_what_it_says():
    table = pa.table({"p": pa.array(['{"a":1}', None], DOCUMENT)})
    assert encoded(NDJSON, table) == b'{"p":{"a":1}}\n{"p":null}\n'
    assert encoded(CSV, table) == b'"p"\r\n"{""a"":1}"\r\n\r\n'
    assert parquet.read_table(io.BytesIO(encoded(PARQUET, table))).equals(table)


@pytest.mark.parametrize("form", TABLES, ids=lambda form: form.name)
def test_what_is_written_piece_by_piece_is_one_file(form: Format):
    table = table_of(COLUMNS, ROWS)
    encoder = encoder_of(form, table.schema)
    pieces = [encoder.begin(), *(encoder.write(table.slice(n, 1)) for n in (0, 1)), encoder.end()]
    whole = b"".join(pieces)
    if form is PARQUET:
        assert parquet.read_table(io.BytesIO(whole)).equals(table)
    elif form is ARROW:
        assert pa.ipc.open_stream(whole).read_all().equals(table)
    else:
        assert whole == encoded(form, table)
