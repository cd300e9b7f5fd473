"""WAREHOUSE_TARGET: which event a record becomes, and that it counts once."""

from datetime import UTC, datetime

import pytest

from service.errors import ConnectorBroken, InvalidInput, TargetUnavailable
from service.events import unpack
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place
from tests.building import TENANT
from tests.unit.test_ingest import Kept, ingest_into

KIND = kind_of("WAREHOUSE_TARGET")


async def a_target(stream, **settings):
    around = Surroundings(TENANT, "p", "s", ingest=ingest_into(stream))
    return await KIND.open_target(config_of(KIND, settings), around)


FIRST = Place(1, 0)


def going(place=FIRST, keys=(), **record):
    return Outgoing(place, record, keys, time=1_700_000_000_000)


def stored(stream):
    return [row for body in stream.bodies for row in unpack(body).events.to_pylist()]


async def test_a_record_becomes_an_event_and_what_has_no_field_goes_into_the_payload():
    target = await a_target(stream := Kept(), event_type="order")
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert await target.write([going(user_id="ada", timestamp=at, price=3.5)]) == []
    [row] = stored(stream)
    assert (row["event_type"], row["user_id"], row["source"]) == ("order", "ada", "pipeline")
    assert row["timestamp"] == int(at.timestamp() * 1000)
    assert row["payload"] == '{"price":3.5}'


async def test_a_record_without_a_time_has_the_one_at_which_the_bus_took_it():
    await (await a_target(stream := Kept())).write([going(a=1)])
    assert stored(stream)[0]["timestamp"] == 1_700_000_000_000


async def test_the_same_place_is_the_same_event_and_another_place_another():
    target = await a_target(stream := Kept())
    for place in (Place(1, 0), Place(1, 0), Place(1, 1), Place(1, 0, 1)):
        await target.write([going(place, a=1)])
    ids = [row["event_id"] for row in stored(stream)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


async def test_the_same_primary_key_is_the_same_event_wherever_it_stands():
    target = await a_target(stream := Kept())
    await target.write([going(Place(1, 0), ["id"], id=7)])
    await target.write([going(Place(9, 0), ["id"], id=7)])
    assert len({row["event_id"] for row in stored(stream)}) == 1


async def test_a_bad_record_is_refused_with_its_place_and_the_others_are_kept():
    target = await a_target(stream := Kept())
    batch = [going(Place(1, 0), a=1), going(Place(1, 1), timestamp="soon"), going(Place(1, 2))]
    [refused] = await target.write(batch)
    assert refused.place == Place(1, 1)
    assert "timestamp" in refused.reason
    assert len(stored(stream)) == 2


async def test_a_stream_that_is_away_is_a_target_that_is_away():
    target = await a_target(Kept(refuses=True))
    with pytest.raises(TargetUnavailable, match="away"):
        await target.write([going(a=1)])


async def test_without_a_way_in_it_does_not_open():
    with pytest.raises(ConnectorBroken):
        await KIND.open_target(config_of(KIND, {}), Surroundings(TENANT))


def test_an_unknown_kind_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(InvalidInput, match=r"HTTP_SOURCE.*WAREHOUSE_TARGET"):
        kind_of("CARRIER_PIGEON")


def test_a_wrong_setting_is_named_by_its_path():
    with pytest.raises(InvalidInput) as caught:
        config_of(KIND, {"event_type": 3})
    assert caught.value.field == "configuration.event_type"


def test_places_are_ordered_and_written_down():
    assert Place(2, 0) > Place(1, 9, 9)
    assert Place.read(Place(3, 2, 1).text) == Place(3, 2, 1)
