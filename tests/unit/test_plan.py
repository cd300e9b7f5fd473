"""The plan: what is kept of a run of messages, whatever the log and whatever the cutting."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from service.events import pack
from service.near_net import NearNet
from service.plan import (
    STORED,
    make_plan,
    make_plan_again,
    open_messages,
    suspect,
    unconfirmed,
)
from service.storage.protocol import EPOCH_SHIFT, Pending, Progress
from service.stream.protocol import Message
from tests.building import (
    TENANT,
    a_batch,
    a_message,
    an_event,
    messages_of,
    with_one_digest,
)

NONE = np.empty(0, np.uint32)


@dataclass
class Stored:
    """An event store of a few lines: what `EventStore.recognise` and `append` promise."""

    rows: list[tuple] = field(default_factory=list)

    def recognise(self, candidates: pa.Table):
        known = {(r["position"], r["tenant"], r["event_id"]) for r in self.rows}
        known |= {("at", r["timestamp"], r["tenant"], r["event_id"]) for r in self.rows}
        found = [
            c["row"]
            for c in candidates.to_pylist()
            if (c["position"], c["tenant"], c["event_id"]) in known
            or ("at", c["timestamp"], c["tenant"], c["event_id"]) in known
        ]
        return np.array(found, np.uint32)

    def append(self, rows: pa.Table):
        self.rows += rows.to_pylist()

    def names(self):
        return [(r["tenant"], r["event_id"], r["ordinal"], r["position"]) for r in self.rows]

    def ids(self):
        return [r["event_id"] for r in self.rows]


def carry(messages, net, stored, epoch=0):
    """One group from the log to the store, as the writer does it."""
    incoming = open_messages(messages, epoch)
    suspects = suspect(incoming, net)
    known = stored.recognise(suspects.candidates)
    again = stored.recognise(unconfirmed(incoming, suspects, known))
    plan = make_plan(incoming, np.concatenate([known, again]), Progress(), Progress())
    stored.append(plan.group.rows)
    net.add(plan.keys, plan.positions, plan.times)
    return plan


def refilled(stored: Stored, ids: int) -> NearNet:
    """The net after a restart: the tail of the store, and a note of all the rest."""
    net, rows = NearNet(ids), stored.rows
    for row in rows[-ids:]:
        key, at, time = row["event_key"], row["position"], row["timestamp"]
        net.add(np.array([key], np.uint64), np.array([at], np.uint64), np.array([time]))
    net.forget_before(max((r["timestamp"] for r in rows[:-ids]), default=None))
    return net


def stored_after(groups, ids=1000) -> Stored:
    net, stored = NearNet(ids), Stored()
    for messages in groups:
        carry(messages, net, stored)
    return stored


def test_a_row_is_named_by_its_position_and_its_place_in_the_message():
    incoming = open_messages(messages_of(["a", "b"], ["c"]), epoch=2)
    assert incoming.rows.schema.equals(STORED)
    assert incoming.rows["position"].to_pylist() == [2 << EPOCH_SHIFT | n for n in (1, 1, 2)]
    assert incoming.rows["ordinal"].to_pylist() == [0, 1, 0]
    assert incoming.rows["event_id"].to_pylist() == ["a", "b", "c"]


def test_the_first_occurrence_in_stream_order_is_kept():
    log = messages_of([an_event("a", user_id="ada")], [an_event("a", user_id="bob"), "b"])
    stored = stored_after([log])
    assert [(r["event_id"], r["user_id"]) for r in stored.rows] == [("a", "ada"), ("b", "ada")]


def test_repeats_are_skipped_inside_a_message_a_group_and_across_groups():
    log = messages_of(["a", "a", "b"], ["b", "c"], ["c", "a", "d"])
    assert stored_after([log[:2], log[2:]]).ids() == ["a", "b", "c", "d"]


def test_tenants_never_hide_each_others_events():
    log = [a_message(1, "a", tenant="x"), a_message(2, "a", tenant="y")]
    assert [name[:2] for name in stored_after([log]).names()] == [("x", "a"), ("y", "a")]


def test_a_repeat_is_recognised_when_the_net_has_forgotten_it():
    log = messages_of(["a"], [f"b{n}" for n in range(50)], ["a"])
    assert stored_after([[m] for m in log], ids=4).ids().count("a") == 1


def test_an_old_event_that_is_new_is_kept_when_the_net_has_forgotten():
    log = messages_of([f"b{n}" for n in range(50)], [an_event("late", after=-9000)])
    assert "late" in stored_after([[m] for m in log], ids=4).ids()


def collided(sequence, *ids):
    body = pack(with_one_digest(a_batch(*ids)))
    return Message(sequence, f"m{sequence}", 0, TENANT, body)


def test_two_ids_of_one_digest_are_two_events_and_their_repeats_none():
    log = [collided(1, "a"), collided(2, "b"), collided(3, "b", "a"), collided(4, "c", "b", "c")]
    assert stored_after([[m] for m in log]).ids() == ["a", "b", "c"]
    assert stored_after([log]).ids() == ["a", "b", "c"]


def test_a_message_that_cannot_be_read_comes_out_with_the_reason_and_the_rest_goes_on():
    log = [Message(1, "m1", 0, TENANT, b"junk"), a_message(2, "a")]
    incoming = open_messages(log, epoch=0)
    assert [(p.message.sequence, p.reason[:12]) for p in incoming.poison] == [(1, "unknown form")]
    assert incoming.rows["event_id"].to_pylist() == ["a"]


def test_a_batch_under_another_tenants_subject_is_poison():
    foreign = Message(1, "m1", 0, "env_b", a_message(1, "a", tenant="env_a").body)
    [poison] = open_messages([foreign], epoch=0).poison
    assert "another tenant" in poison.reason


def test_a_group_without_a_readable_row_still_moves_the_mark():
    stored = Stored()
    plan = carry([Message(1, "m1", 0, TENANT, b"junk")], NearNet(4), stored)
    assert plan.group.rows.num_rows == plan.repeats == 0
    again = carry(messages_of(["a"]), net := NearNet(4), stored)
    repeat = carry(messages_of(["a"]), net, stored)
    assert (again.repeats, repeat.repeats, repeat.group.rows.num_rows) == (0, 1, 0)


ids = st.integers(0, 14)
logs = st.lists(st.lists(ids, min_size=1, max_size=6), min_size=1, max_size=20)
restarts_after = st.sets(st.integers(0, 20))
cuts_after = st.sets(st.integers(0, 20))


@settings(max_examples=300)
@given(logs, cuts_after, restarts_after, st.integers(1, 20))
def test_the_store_holds_the_first_occurrences_whatever_the_cutting(log, cuts, restarts, near):
    events = {n: an_event(f"e{n}", after=(n * 7) % 5, user_id=f"u{n}") for n in range(15)}
    messages = messages_of(*([events[n] for n in batch] for batch in log))
    net, stored, group = NearNet(near), Stored(), []
    for place, message in enumerate(messages):
        group.append(message)
        if place in cuts or message is messages[-1]:
            carry(group, net, stored)
            group = []
            net = refilled(stored, near) if place in restarts else net
    expected = {}
    for sequence, batch in enumerate(log, start=1):
        for ordinal, n in enumerate(batch):
            expected.setdefault(f"e{n}", (TENANT, f"e{n}", ordinal, sequence))
    assert stored.names() == list(expected.values())


BEFORE, AFTER = Progress(1, "stream", 0), Progress(1, "stream", 2)


def begun(messages, stored=NONE):
    """What a store says of the group of these messages that it did not finish."""
    group = make_plan(open_messages(messages, 1), stored, BEFORE, AFTER).group
    return group, Pending(BEFORE, AFTER, group.rows.num_rows, group.keep)


@given(logs, st.sets(st.integers(0, 7)))
def test_a_group_that_was_begun_is_planned_again_as_it_was_judged(log, known):
    messages = messages_of(*([f"e{n}" for n in batch] for batch in log))
    rows = sum(map(len, log))
    stored = np.array([n for n in known if n < rows], np.uint32)
    group, pending = begun(messages, stored)
    again = make_plan_again(open_messages(messages, 1), pending)
    assert again.group == group
    assert again.keys.tolist() == group.rows["event_key"].to_pylist()


def test_a_group_cannot_be_planned_again_from_other_messages():
    _, whole = begun(messages_of(["a", "b"], ["c"]))
    _, with_repeats = begun(messages_of(["a", "b"] * 8, ["c"]))
    for other in (messages_of(["a", "b"]), messages_of(["a"] * 40)):
        assert make_plan_again(open_messages(other, 1), whole) is None
        assert make_plan_again(open_messages(other, 1), with_repeats) is None
