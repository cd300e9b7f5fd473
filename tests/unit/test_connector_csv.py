"""CSV_SOURCE: which files are read, and what their rows become."""

from pathlib import Path

import pytest

from service.errors import ConnectorBroken, InvalidInput
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of, kind_of

KIND = kind_of("CSV_SOURCE")


def around(folder: Path | None) -> Surroundings:
    return Surroundings("t", files=folder)


async def rows_of(folder: Path, body: bytes, **settings):
    (folder / "a.csv").write_bytes(body)
    config = config_of(KIND, {"path": "a.csv", **settings})
    return [message.value for message in await KIND.fetch(config, around(folder), "", 100)]


@pytest.mark.parametrize(
    ("body", "settings"),
    [(b"\xef\xbb\xbfid;name\n1;\xc3\xa9\n", {}), ("id\tname\n1\té\n".encode("utf-16"), {}),
     (b"id,name\r\n1,\xe9\r\n", {"encoding": "cp1252"}),
     (b"id|name\n1|\xc3\xa9\n", {"delimiter": "|"}), (b"id,name\r1,\xc3\xa9\r", {})],
)  # fmt: skip
async def test_a_file_is_read_however_it_is_written(tmp_path, body, settings) -> None:
    assert await rows_of(tmp_path, body, **settings) == [{"id": "1", "name": "é"}]


async def test_columns_may_have_other_names_and_cells_more_than_one_line(tmp_path) -> None:
    body = b'E-Mail,note\na@b.example,"one\ntwo"\n'
    rows = await rows_of(tmp_path, body, aliases={"E-Mail": "email"})
    assert rows == [{"email": "a@b.example", "note": "one\ntwo"}]


async def test_a_row_that_cannot_be_read_keeps_no_other_one_out(tmp_path) -> None:
    rows = await rows_of(tmp_path, b"id,name\n1\n2,b\n")
    assert rows == [{"_problem": "1 cells, the header has 2", "_line": 2}, {"id": "2", "name": "b"}]


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "link.csv", "nope.csv", "."])
async def test_no_file_outside_the_folder_is_read(tmp_path, path) -> None:
    (folder := tmp_path / "t").mkdir()
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(InvalidInput, match="there is no file") as raised:
        await KIND.check(config_of(KIND, {"path": path}), around(folder))
    assert raised.value.field == "path"


async def test_files_are_listed_and_without_a_folder_none_may_be_read(tmp_path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.csv").write_text("a\n")
    config = config_of(KIND, {"path": "x.csv"})
    assert await KIND.topics(config, around(tmp_path)) == ["b/x.csv"]
    with pytest.raises(ConnectorBroken, match="HEADRACE_FILES_DIR"):
        await KIND.check(config, around(None))


async def test_a_file_that_became_shorter_stops_the_pipeline(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n2\n")
    source = await KIND.open_source(config_of(KIND, {"path": "a.csv"}), around(tmp_path))
    cursor = (await source.read(None, 10, 0)).cursor
    (tmp_path / "a.csv").write_text("id\n1\n")
    with pytest.raises(ConnectorBroken, match="became shorter"):
        await source.read(cursor, 10, 0)


@pytest.mark.parametrize(
    ("settings", "field"), [({"aliases": {"x": "y"}}, "aliases"), ({"key": "x"}, "key")]
)
async def test_a_column_that_is_not_there_is_named(tmp_path, settings, field) -> None:
    with pytest.raises(InvalidInput) as raised:
        await rows_of(tmp_path, b"id\n1\n", **settings)
    assert raised.value.field == field
