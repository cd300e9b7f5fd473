"""CSV as people save it: what is read, at which place it goes on, and what one broken row costs."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.formats.csv_rows import LONGEST_ROW, CsvFile, Cursor, Row, examined


def a_file(folder: Path, text: str | bytes, encoding: str = "utf-8") -> CsvFile:
    path = folder / "customers.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return CsvFile(path, examined(path).form)


def cells(file: CsvFile, after: Cursor | None = None) -> list[list[str]]:
    return [list(row.cells) for row in file.rows(after)]


def problems(file: CsvFile) -> dict[int, str]:
    return {row.number: row.problem for row in file.rows() if row.problem}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_looking(delimiter: str, tmp_path: Path):
    lines = ["id|name|note", "1|Ada|x, y", "2|Bob|z"]
    text = "\n".join(line.replace("|", delimiter) for line in lines)
    if delimiter == ",":
        text = text.replace("x, y", '"x, y"')
    assert cells(a_file(tmp_path, text)) == [["1", "Ada", "x, y"], ["2", "Bob", "z"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found_by_looking(encoding: str, tmp_path: Path):
    file = a_file(tmp_path, 'id,name\n1,Zoë\n2,"Mül\nler"\n', encoding)
    assert (file.header, cells(file)) == (["id", "name"], [["1", "Zoë"], ["2", "Mül\nler"]])


def test_the_encoding_is_judged_by_the_whole_file_not_by_its_beginning(tmp_path: Path):
    rows = b"".join(b"%d,Ada\n" % n for n in range(20_000))
    assert cells(a_file(tmp_path, b"id,name\n" + rows + b"x,Zo\xeb\n"))[-1] == ["x", "Zoë"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_may(newline: str, tmp_path: Path):
    file = a_file(tmp_path, newline.join(["id,name", "1,Ada", "", "2,Bob"]))
    assert cells(file) == [["1", "Ada"], ["2", "Bob"]]


def test_a_row_knows_its_number_and_its_line(tmp_path: Path):
    rows = a_file(tmp_path, 'id,note\n1,"a\nb"\n\n2,c\n').rows()
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 5)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_reading_goes_on_behind_any_row(encoding: str, tmp_path: Path):
    file = a_file(tmp_path, 'id,name\n1,Zoë\n2,"ü\n\n"\n\n3,c\n4,"d"\n', encoding)
    rows = list(file.rows())
    for place, row in enumerate(rows):
        assert list(file.rows(row.after)) == rows[place + 1 :]


_CELLS = st.text(st.sampled_from('aé",\n\r ;😀'), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=1, max_size=8))
def test_what_was_written_is_read_wherever_one_begins(tmp_path_factory, table):
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in table]
    text = "".join(",".join(row) + "\n" for row in [["a", "b", "c"], *quoted])
    file = a_file(tmp_path_factory.mktemp("csv"), text)
    rows = list(file.rows())
    assert [list(row.cells) for row in rows] == [list(row) for row in table]
    assert [list(file.rows(row.after)) for row in rows] == [rows[n + 1 :] for n in range(len(rows))]


def test_a_quote_that_is_never_closed_costs_one_line(tmp_path: Path):
    file = a_file(tmp_path, 'id,name\n1,"Ada\n2,Bob\n3,"Cy"\n4,Dee\n')
    assert problems(file).keys() == {1}
    assert [row.cells for row in file.rows()][1:] == [["2", "Bob"], ["3", "Cy"], ["4", "Dee"]]


def test_a_row_of_another_width_says_so(tmp_path: Path):
    file = a_file(tmp_path, "id,name\n1,Ada,x\n2,Bob\n3\n")
    assert problems(file) == {1: "3 cells, the header has 2", 3: "1 cells, the header has 2"}


def test_bytes_that_are_no_text_spoil_their_row_alone(tmp_path: Path):
    path = a_file(tmp_path, b"id,name\n1,\xff\xfe\n2,Bob\n").path
    file = CsvFile(path, examined(path, encoding="utf-8").form)
    assert problems(file) == {1: "not in the encoding of the file"}
    assert list(file.rows())[1].cells == ["2", "Bob"]


def test_a_line_too_long_to_be_a_row_is_passed_over(tmp_path: Path):
    file = a_file(tmp_path, "id,name\n1," + "x" * (3 * LONGEST_ROW) + "\n2,Bob\n")
    first, second = file.rows()
    assert "longer than" in first.problem
    assert second == Row(2, 3, ["2", "Bob"], second.after)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_a_file_without_a_header_is_refused(text: str, tmp_path: Path):
    with pytest.raises(InvalidInput, match="no header"):
        a_file(tmp_path, text)


def test_a_name_twice_in_the_header_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="name: twice in the header"):
        a_file(tmp_path, "id,name,name\n")


def test_a_file_that_is_not_there_and_an_encoding_that_is_none_are_said(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"none\.csv: No such file"):
        CsvFile(tmp_path / "none.csv")
    with pytest.raises(InvalidInput, match="no encoding 'utf-9'"):
        examined(a_file(tmp_path, "id\n").path, encoding="utf-9")
