"""Recordings in files: what is read, what is named as wrong, and where."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from service.errors import InvalidInput
from service.recordings import recording
from service.recordings.files import LONGEST_LINE
from service.recordings.recording import BadLine, Record

HEADER = "eventType,userId,sessionId,timestamp"


def a_line(**fields: Any) -> str:
    event = {"eventType": "click", "userId": "ada", "sessionId": "s1"}
    return msgspec.json.encode(event | {"timestamp": "2030-01-01T00:00:00Z"} | fields).decode()


def kept(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path) -> list[Any]:
    return list(recording(path).records())


def events(path: Path) -> list[dict[str, Any]]:
    return [record.fields for record in read(path) if isinstance(record, Record)]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("e.ndjson", bytes),
        ("e.jsonl.gz", gzip.compress),
        ("e.json.zst", zstandard.compress),
        ("no-ending", bytes),
        ("no-ending-packed", zstandard.compress),
    ],
)
def test_ndjson_is_read_plain_and_compressed(tmp_path: Path, name: str, pack: Any) -> None:
    path = kept(tmp_path / name, pack(f"{a_line(eventId='a')}\n\n{a_line(eventId='b')}".encode()))
    assert [(r.line, r.fields["eventId"]) for r in recording(path).records()] == [
        (1, "a"),
        (3, "b"),
    ]


def test_what_one_frame_or_member_is_appended_to_is_read_to_the_end(tmp_path: Path) -> None:
    one = f"{a_line()}\n".encode()
    assert len(read(kept(tmp_path / "a.ndjson.zst", zstandard.compress(one) * 2))) == 2
    assert len(read(kept(tmp_path / "a.ndjson.gz", gzip.compress(one) * 2))) == 2


def test_csv_columns_that_are_no_field_go_to_the_payload_numbers_as_numbers(tmp_path: Path) -> None:
    text = HEADER + ',price,zip,note,payload\na,b,c,2030-01-01,1.5,007,,"{""x"": 1}"\n'
    (event,) = events(kept(tmp_path / "e.csv", text))
    assert event["payload"] == {"x": 1, "price": 1.5, "zip": "007"}
    assert (event["eventType"], event["userId"], event["sessionId"]) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("cell", "value"),
    [("12", 12), ("-0.5", -0.5), ("1e3", 1000.0), ("nan", "nan"), ("1e999", "1e999"), ("+1", "+1")],
)
def test_a_csv_cell_is_a_number_if_json_would_write_it_so(
    tmp_path: Path, cell: str, value: object
) -> None:
    (event,) = events(kept(tmp_path / "e.csv", f"{HEADER},n\na,b,c,2030-01-01,{cell}\n"))
    assert event["payload"] == {"n": value}


def test_ids_of_csv_stay_texts(tmp_path: Path) -> None:
    (event,) = events(
        kept(tmp_path / "e.csv", f"{HEADER},eventId,priority\n1,2,3,2030-01-01,4,5\n")
    )
    assert (event["eventType"], event["userId"], event["sessionId"]) == ("1", "2", "3")
    assert (event["eventId"], event["priority"]) == ("4", 5)


def test_a_csv_may_have_a_byte_order_mark_quotes_and_lines_within_them(tmp_path: Path) -> None:
    text = f'\ufeff{HEADER},note\na,b,c,2030-01-01,"two\nlines"\nd,b,c,2030-01-01,x\n'
    first, second = events(kept(tmp_path / "e.csv", text))
    assert (first["payload"]["note"], second["eventType"]) == ("two\nlines", "d")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-01T12:00:00Z", datetime(2030, 1, 1, 12, tzinfo=UTC)),
        ("2030-01-01T12:00:00+05:45", datetime(2030, 1, 1, 6, 15, tzinfo=UTC)),
        ("2030-01-01 12:00:00.25", datetime(2030, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2030-01-01", datetime(2030, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_iso_8601_and_utc_without_an_offset(
    tmp_path: Path, text: str, moment: datetime
) -> None:
    (record,) = recording(kept(tmp_path / "e.ndjson", a_line(timestamp=text))).records()
    assert isinstance(record, Record)
    assert record.fields["timestamp"] == moment
    assert record.at == moment.timestamp() * 1000


def test_lines_that_are_no_event_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = [a_line(), "garbage", "[1]", a_line(timestamp=None), a_line(timestamp="soon"), a_line()]
    found = read(kept(tmp_path / "e.ndjson", "\n".join(lines)))
    bad = {r.line: r.reason for r in found if isinstance(r, BadLine)}
    assert list(bad) == [2, 3, 4, 5]
    assert "malformed" in bad[2]
    assert bad[3] == "not a JSON object"
    assert bad[4] == "no timestamp"
    assert bad[5] == "timestamp 'soon' is not an ISO 8601 time"


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b'{"a": "\xff"}', b"[" * 100_000, b'{"timestamp": 12}', b"\x00"],
)
def test_garbage_of_every_kind_is_a_bad_line(tmp_path: Path, line: bytes) -> None:
    good = a_line().encode()
    found = read(kept(tmp_path / "e.ndjson", b"\n".join([good, line, good])))
    assert [type(record) for record in found] == [Record, BadLine, Record]


def test_a_line_of_any_length_is_passed_over_without_being_kept(tmp_path: Path) -> None:
    long = b"x" * (3 * LONGEST_LINE + 5)
    found = read(kept(tmp_path / "e.ndjson", b"%b\n%b\n" % (long, a_line().encode())))
    assert found[0] == BadLine(1, "longer than 1,048,576 bytes")
    assert (len(found), found[1].line) == (2, 2)


def test_csv_rows_that_are_no_event_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    rows = ["a,b,c,2030-01-01", "a,b,c", 'a,b,c,"2030"x', "a,b,c,never", "a,b,\udcff,2030-01-01"]
    text = "\n".join([HEADER, *rows, rows[0], ""]).encode(errors="surrogateescape")
    found = read(kept(tmp_path / "e.csv", text))
    assert [r.line for r in found if isinstance(r, Record)] == [2, 7]
    reasons = [r.reason for r in found if isinstance(r, BadLine)]
    assert reasons[0] == "3 cells, the header has 4"
    assert [r.line for r in found if isinstance(r, BadLine)] == [3, 4, 5, 6]
    assert reasons[-1] == "not UTF-8"


def test_a_file_without_ids_gives_the_same_ids_each_time_and_each_line_its_own(
    tmp_path: Path,
) -> None:
    path = kept(tmp_path / "e.ndjson", f"{a_line()}\n{a_line()}\n")
    first, again = [[e["eventId"] for e in events(path)] for _ in range(2)]
    assert first == again
    assert len(set(first)) == 2


def test_the_extent_says_how_much_there_is_and_from_when_to_when(tmp_path: Path) -> None:
    times = ["2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z", "2030-01-03T00:00:00Z"]
    text = "\n".join([a_line(timestamp=t) for t in times] + ["garbage"])
    extent = recording(kept(tmp_path / "e.ndjson", text)).extent()
    assert (extent.events, extent.bad) == (3, 1)
    assert extent.first == datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1000
    assert extent.last == datetime(2030, 1, 3, tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("e.ndjson", b"", "no event in it; it is empty"),
        ("e.csv", b"", "it is empty"),
        ("e.ndjson", b"\n1\n2\n", "no event in it; line 2: not a JSON object"),
        ("e.csv", b"eventType,when\n", "line 1: the CSV header lacks userId, sessionId, timestamp"),
        ("e.csv", HEADER.encode() + b"\n", "no event in it; it is empty"),
        ("e.ndjson.gz", gzip.compress(a_line().encode(), mtime=0)[:-9], "Truncated"),
    ],
)
def test_a_file_that_cannot_be_replayed_says_why(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=f"{name}.*{problem}"):
        recording(kept(tmp_path / name, content)).extent()


def test_a_file_that_breaks_off_says_after_which_line(tmp_path: Path) -> None:
    packed = zstandard.compress("\n".join(a_line(n=n) for n in range(20_000)).encode())
    path = kept(tmp_path / "e.ndjson.zst", packed[: len(packed) // 2])
    with pytest.raises(InvalidInput, match=r"e\.ndjson\.zst, after line \d+: Truncated"):
        recording(path).extent()


@pytest.mark.parametrize(("name", "problem"), [("gone", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        recording(tmp_path / name).extent()
