"""The door's steps: what is refused, what is named, and what the verdict says."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.errors import IngestionUnavailable
from service.events import unpack
from service.hints import Hints
from service.ingest import Ingest, Rejected
from service.publisher import Publisher
from service.receipts import Receipts
from service.storage.mark import Mark
from service.stream.protocol import Receipt
from tests.building import TENANT, an_event, quick_settings


class Kept:
    """A stream that keeps what is published, or refuses it."""

    def __init__(self, refuses: bool = False):
        self.bodies, self.refuses = [], refuses

    async def publish(self, tenant, message_id, body, timeout, notes=None):
        if self.refuses:
            raise IngestionUnavailable("away")
        self.bodies.append(body)
        return Receipt(len(self.bodies), duplicate=False)

    def ids(self):
        return [i for body in self.bodies for i in unpack(body).events["event_id"].to_pylist()]


def ingest_into(stream, **settings) -> Ingest:
    settings = quick_settings(**settings)
    publisher = Publisher(stream, Mark(), Hints(), settings)
    return Ingest(publisher, Receipts(b"secret"), settings)


async def accept(*events, stream=None, key=None, **settings):
    return await ingest_into(stream or Kept(), **settings).accept(TENANT, events, key)


def nested(levels: int):
    inner = {}
    for _ in range(levels - 1):
        inner = {"a": inner}
    return inner


async def test_good_events_are_kept_and_have_a_receipt():
    verdict = await accept(an_event("a"), an_event("b"), stream=(stream := Kept()))
    assert (verdict.accepted, verdict.duplicates, verdict.event_ids) == (2, 0, ["a", "b"])
    assert Receipts(b"secret").read(TENANT, verdict.receipt).count == 2
    assert stream.ids() == ["a", "b"]


async def test_each_row_is_refused_for_its_own_fault_when_many_are_bad():
    events = [an_event(f"e{n}") for n in range(8)]
    events[0].event_type = "a\x00b"
    events[2].user_id = "bob\n"
    events[3].session_id = "\x7f"
    events[4].timestamp = datetime.now(UTC) + timedelta(hours=25)
    events[6].payload = {"a": "x" * 100}
    events[7].metadata = nested(4)
    stream = Kept()
    verdict = await accept(*events, stream=stream, max_field_bytes=60, max_depth=3)
    faults = {r.index: r.field for r in verdict.rejected}
    assert faults == {
        0: "eventType",
        2: "userId",
        3: "sessionId",
        4: "timestamp",
        6: "payload",
        7: "metadata",
    }
    assert stream.ids() == ["e1", "e5"]
    assert verdict.event_ids == [f"e{n}" for n in range(8)]


async def test_a_row_with_two_faults_is_refused_once():
    verdict = await accept(an_event("a\n", user_id="\n"), an_event("b"))
    assert [(r.index, r.field) for r in verdict.rejected] == [(0, "userId")]
    assert verdict.accepted == 1


async def test_half_a_character_is_refused_and_harms_nobody():
    verdict = await accept(an_event("a\ud800"), an_event("b"))
    assert [r.index for r in verdict.rejected] == [0]
    assert verdict.accepted == 1


@pytest.mark.parametrize("bad", [{"a": "\ud800"}, nested(3000)], ids=["half", "deep"])
async def test_a_field_that_cannot_be_written_as_json_harms_nobody(bad):
    verdict = await accept(an_event("a"), an_event("b", payload=bad), an_event("c", metadata=bad))
    assert [(r.index, r.field) for r in verdict.rejected] == [(1, "payload"), (2, "metadata")]
    assert verdict.event_ids == ["a", "b", "c"]


async def test_any_other_character_is_welcome():
    verdict = await accept(an_event("\u200b日本 \u00a0🚲"))
    assert verdict.accepted == 1


@pytest.mark.parametrize(("levels", "accepted"), [(3, 1), (4, 0)])
async def test_nesting_is_allowed_down_to_the_limit(levels, accepted):
    assert (await accept(an_event(payload=nested(levels)), max_depth=3)).accepted == accepted


async def test_braces_inside_texts_are_not_nesting():
    assert (await accept(an_event(payload={"a": "{[{[{["}), max_depth=3)).accepted == 1


async def test_a_field_of_exactly_the_largest_size_is_taken():
    payload = {"a": "x" * 12}  # {"a":"xxxxxxxxxxxx"} is 20 bytes
    assert (await accept(an_event(payload=payload), max_field_bytes=20)).accepted == 1
    assert (await accept(an_event(payload=payload), max_field_bytes=19)).accepted == 0


async def test_a_repeat_inside_a_batch_is_kept_once():
    stream = Kept()
    first, again = an_event("a", user_id="ada"), an_event("a", user_id="bob")
    verdict = await accept(first, an_event("b"), again, stream=stream)
    assert (verdict.accepted, verdict.duplicates) == (2, 1)
    assert verdict.event_ids == ["a", "b", "a"]
    assert unpack(stream.bodies[0]).events["user_id"].to_pylist() == ["ada", "ada"]


async def test_a_repeat_of_an_acknowledged_event_is_called_a_duplicate_but_published():
    stream = Kept()
    ingest = ingest_into(stream)
    await ingest.accept(TENANT, [an_event("a")])
    verdict = await ingest.accept(TENANT, [an_event("a"), an_event("b")])
    assert (verdict.accepted, verdict.duplicates) == (1, 1)
    assert stream.ids() == ["a", "a", "b"]


async def test_an_id_is_not_remembered_before_the_stream_has_it():
    stream = Kept(refuses=True)
    ingest = ingest_into(stream)
    with pytest.raises(IngestionUnavailable):
        await ingest.accept(TENANT, [an_event("a")])
    stream.refuses = False
    assert (await ingest.accept(TENANT, [an_event("a")])).accepted == 1


async def test_tenants_do_not_share_ids():
    ingest = ingest_into(Kept())
    verdicts = [await ingest.accept(t, [an_event("a")]) for t in ("env_a", "env_b")]
    assert [v.accepted for v in verdicts] == [1, 1]


async def test_events_without_ids_get_new_ones():
    verdict = await accept(an_event(None), an_event("b"), an_event(None))
    first, given, last = verdict.event_ids
    assert given == "b"
    assert first != last
    assert first.startswith("evt_")
    assert last.startswith("evt_")


async def test_an_idempotency_key_gives_a_retry_the_same_ids():
    async def ids(key, tenant=TENANT):
        verdict = await ingest_into(Kept()).accept(tenant, [an_event(None), an_event(None)], key)
        return tuple(verdict.event_ids)

    assert await ids("k") == await ids("k")
    assert len({await ids("k"), await ids("l"), await ids("k", "env_b")}) == 3


async def test_a_record_that_a_face_refused_goes_into_the_verdict_as_it_is():
    refused = Rejected(1, "bad", "VALIDATION_ERROR", "userId", "missing")
    verdict = await accept(an_event("a"), refused, an_event("c\n"), an_event("d"))
    assert verdict.event_ids == ["a", "bad", "c\n", "d"]
    assert [r.index for r in verdict.rejected] == [1, 2]
    assert verdict.rejected[0] is refused


async def test_nothing_left_to_publish_has_no_receipt():
    verdict = await accept(an_event("\n"), stream=(stream := Kept()))
    assert (verdict.receipt, verdict.position, stream.bodies) == (None, None, [])


async def test_a_time_before_the_year_one_in_utc_is_refused():
    event = an_event("a")
    event.timestamp = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    [rejected] = (await accept(event)).rejected
    assert (rejected.field, rejected.index) == ("timestamp", 0)
