"""From frames of the bus to records for a target."""

import msgspec

from service.pipelines.bus import Carried, Frame
from service.pipelines.drawing import Drawing
from service.pipelines.mapper import Column
from service.pipelines.members import owner_of
from service.pipelines.model import ConnectorConfig, Place, SourceMessage, SubscriptionConfig
from service.pipelines.positions import Position


def drawn(columns, *values, only="", **more):
    parsed = msgspec.convert(columns, list[Column])
    way = SubscriptionConfig("s", parsed, ConnectorConfig("T", {}), **more)
    messages = [SourceMessage(v, time=5 if "late" in v else None) for v in values]
    return Drawing(way).draw(Carried(3, 9, Frame(messages, None, only)))


def places(found):
    return [tuple(one.place) for one in found]


ITEMS = [{"key": "sku", "path": "$.items[*]", "cast": "int"}]


def test_without_columns_the_messages_go_out_as_they_are():
    found = drawn([], {"a": 1}, {"late": 2}).outgoing
    assert [(o.record, o.time) for o in found] == [({"a": 1}, 9), ({"late": 2}, 5)]
    assert places(found) == [(3, 0, 0), (3, 1, 0)]


def test_several_records_of_one_message_have_places_of_their_own():
    found = drawn(ITEMS, {"items": [1]}, {"items": [2, 3]})
    assert places(found.outgoing) == [(3, 0, 0), (3, 1, 0), (3, 1, 1)]


def test_what_cannot_be_drawn_is_refused_and_the_places_of_the_others_stay():
    found = drawn(ITEMS, {"items": [1]}, {"items": ["x"]}, {"items": [4]})
    assert places(found.outgoing) == [(3, 0, 0), (3, 2, 0)]
    [refused] = found.refused
    assert refused.place == Place(3, 1)
    assert refused.reason.startswith("sku: ")


def test_what_a_filter_leaves_out_is_neither_and_places_stay():
    step = {"type": "filter", "path": "$.a"}
    found = drawn([{"key": "a", "path": "$.a", "cast": "int"}], {}, {"a": 1}, {"a": "x"},
                  transforms=[step])  # fmt: skip
    assert (places(found.outgoing), places(found.refused)) == ([(3, 1, 0)], [(3, 2, 0)])


def test_a_frame_for_another_subscription_is_nothing_to_this_one():
    assert drawn([], {"a": 1}, only="t").outgoing == []
    assert len(drawn([], {"a": 1}, only="s").outgoing) == 1


def test_a_position_covers_what_is_done_and_no_more():
    position = Position(4).at(Place(5, 2, 1))
    assert position.covers(Place(5, 2, 1))
    assert not position.covers(Place(5, 2, 2))
    assert not position.covers(Place(6, 0))
    assert position.after(5).covers(Place(5, 9))
    assert not Position(4).covers(Place(5, 0))


def test_a_worker_that_goes_moves_only_its_own_pipelines():
    pipelines = [f"p{n}" for n in range(200)]
    before = {p: owner_of(p, ["a", "b", "c"]) for p in pipelines}
    after = {p: owner_of(p, ["a", "c"]) for p in pipelines}
    assert all(after[p] == before[p] for p in pipelines if before[p] != "b")
    assert min(list(before.values()).count(name) for name in "abc") > 30
