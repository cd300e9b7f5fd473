"""Events, their columns, and the form a batch has on the stream."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from service.errors import PoisonMessage
from service.events import (
    _HEAD,
    LARGEST_UNPACKED,
    Batch,
    Rows,
    digest,
    load_of,
    milliseconds,
    pack,
    tenant_seed,
    unpack,
)
from tests.building import a_batch, an_event

MAGIC = b"HR\x01"


def numbers_of(payload: dict) -> dict[str, float]:
    return dict(a_batch(an_event(payload=payload)).events["numbers"][0].as_py())


def repacked(columns: bytes, events: int = 1) -> bytes:
    """A message around columns of our own making."""
    head = _HEAD.pack(MAGIC, False, events, len(columns))
    return head + zstandard.ZstdCompressor().compress(columns)


def columns_of(message: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(message[_HEAD.size :])


def stream_of(batch: pa.RecordBatch, **about: str) -> bytes:
    sink = pa.BufferOutputStream()
    known = {"tenant": "t", "received_at": "1"} | about
    schema = batch.schema.with_metadata(known)
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch.replace_schema_metadata(known))
    return sink.getvalue().to_pybytes()


def with_nulls_in(name: str) -> pa.RecordBatch:
    events = a_batch("a").events
    columns = [pa.nulls(1, f.type) if f.name == name else events[f.name] for f in events.schema]
    return pa.record_batch(columns, schema=events.schema)


@given(st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=14)))))
def test_milliseconds_are_exact_in_every_year_and_zone(moment):
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert milliseconds(moment) == since // timedelta(milliseconds=1)


def test_a_moment_without_an_offset_is_utc():
    assert milliseconds(datetime(1970, 1, 1, 0, 0, 1)) == 1000  # noqa: DTZ001


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), -62135596800000 - 14 * 3600_000),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), 253402300799999),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), -1),
    ],
)
def test_milliseconds_at_the_ends_of_time(moment, expected):
    assert milliseconds(moment) == expected


def test_numbers_are_the_numeric_top_level_fields_of_the_payload():
    payload = {"a": 1, "b": 2.5, "c": True, "d": "3", "e": None, "f": [4], "g": {"h": 5}}
    assert numbers_of(payload) == {"a": 1.0, "b": 2.5}


def test_numbers_keep_minus_zero_and_leave_out_what_no_double_can_hold():
    numbers = numbers_of({"zero": -0.0, "huge": 10**400, "large": 2**64})
    assert numbers == {"zero": 0.0, "large": float(2**64)}
    assert str(numbers["zero"]) == "-0.0"


def test_huge_integers_stay_whole_in_the_payload():
    payload = a_batch(an_event(payload={"n": 2**200})).events["payload"][0].as_py()
    assert payload == f'{{"n":{2**200}}}'


def test_the_source_is_the_text_in_metadata_and_nothing_else():
    events = [an_event(metadata=m) for m in ({"source": "web"}, {"source": 3}, None)]
    assert Rows.of(events).sources == ["web", "", ""]


def test_two_tenants_have_two_digests_of_one_id():
    assert digest("e1", tenant_seed("a")) != digest("e1", tenant_seed("b"))


def test_rows_taken_keep_their_columns_together():
    rows = Rows.of([an_event("a", user_id="ada"), an_event("b", user_id="bob")])
    rows.extend(Rows.of([an_event("c", user_id="cyd")]))
    taken = rows.take([2, 0])
    assert (taken.ids, taken.users, len(taken.numbers)) == (["c", "a"], ["cyd", "ada"], 2)


def test_a_batch_comes_off_the_stream_as_it_went_on():
    batch = a_batch("a", an_event("b", payload={"n": 1}, metadata={"source": "web"}))
    again = unpack(pack(batch))
    assert (again.tenant, again.received_at) == (batch.tenant, batch.received_at)
    assert again.events.equals(batch.events)


def test_events_that_were_received_apart_keep_their_times_on_the_stream():
    times = pa.array([5, 7], pa.int64())
    batch = replace(a_batch("e1", "e2", received_at=5), received_apart=times)
    assert unpack(pack(batch)).received_apart.equals(times)
    assert unpack(pack(batch)).events.equals(batch.events)


def test_the_same_batch_gives_the_same_bytes():
    assert pack(a_batch("a", "b")) == pack(a_batch("a", "b"))


def test_the_load_is_read_without_unpacking():
    load = load_of(pack(a_batch("a", "b")))
    assert (load.events, load.urgent) == (2, False)
    assert load_of(pack(a_batch(an_event(priority=4)))).urgent
    assert load_of(b"something else").events == 0


good = pack(a_batch("a", "b"))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"HR\x01",
        b"HR\x02" + good[3:],
        good[:-1],
        good + b"x",
        good[: _HEAD.size],
        repacked(columns_of(good)[:-100], 2),
        repacked(columns_of(good)[:40], 2),
        repacked(stream_of(a_batch("a").events, received_at="9" * 30)),
        repacked(stream_of(a_batch("a").events, received_at="soon")),
        repacked(stream_of(a_batch("a").events.drop_columns(["source"]))),
        repacked(stream_of(with_nulls_in("event_id"))),
        repacked(stream_of(with_nulls_in("event_key"))),
    ],
)
def test_a_message_that_pack_did_not_write_is_poison(message):
    with pytest.raises(PoisonMessage):
        unpack(message)


def test_a_message_that_inflates_to_more_than_it_says_is_poison_before_it_is_inflated():
    bomb = _HEAD.pack(MAGIC, False, 1, 100) + zstandard.ZstdCompressor().compress(bytes(1 << 20))
    with pytest.raises(PoisonMessage, match="inflates to 1048576 bytes and says 100"):
        unpack(bomb)
    with pytest.raises(PoisonMessage, match=str(LARGEST_UNPACKED + 1)):
        unpack(_HEAD.pack(MAGIC, False, 1, LARGEST_UNPACKED + 1) + b"x")


def test_a_message_with_two_numbers_of_one_name_is_poison():
    events = a_batch(an_event(payload={"n": 1, "m": 2}), "b").events
    maps = events["numbers"]
    twice = pa.MapArray.from_arrays(maps.offsets, pa.array(["n", "n"]), maps.items)
    columns = [*events.columns[:-1], twice]
    with pytest.raises(PoisonMessage, match="two numbers of one name"):
        unpack(repacked(stream_of(pa.record_batch(columns, schema=events.schema)), 2))


plain = columns_of(good)


@given(st.integers(0, len(plain) - 1), st.integers(1, 255))
def test_a_damaged_message_is_poison_or_still_a_batch(place, change):
    damaged = bytearray(plain)
    damaged[place] ^= change
    with suppress(PoisonMessage):
        assert isinstance(unpack(repacked(bytes(damaged), 2)), Batch)
