"""The near net: what it remembers, what it forgets, and what it says of the forgotten."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.near_net import GENERATIONS, NearNet
from service.storage.protocol import EPOCH_SHIFT


def keys(*numbers):
    return np.array(numbers, np.uint64)


def fill(net, numbers, positions=None, times=None):
    count = len(numbers)
    positions = positions or range(1, count + 1)
    times = times or [0] * count
    net.add(keys(*numbers), keys(*positions), np.array(times, np.int64))


def found(net, *numbers):
    return net.find(keys(*numbers)).tolist()


def test_a_key_is_found_where_it_was_seen():
    net = NearNet(10)
    fill(net, [5, 6], positions=[100, 200])
    assert found(net, 6, 7, 5) == [200, 0, 100]


@pytest.mark.parametrize("high", [0, 2**32 - 1])
def test_keys_that_want_the_same_place_are_all_found(high):
    net = NearNet(100)
    same_place = [high << 32 | n for n in range(1, 46)]
    fill(net, same_place[:30])
    fill(net, same_place[30:], positions=range(31, 46))
    assert found(net, *same_place) == list(range(1, 46))
    assert found(net, high << 32 | 46) == [0]


@given(
    st.integers(1, 50),
    st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=120),
    st.lists(st.integers(0, 120), max_size=5),
)
def test_at_least_the_promised_number_of_ids_is_remembered(ids, numbers, cuts):
    net = NearNet(ids)
    edges = sorted({0, len(numbers), *(min(c, len(numbers)) for c in cuts)})
    for start, end in pairwise(edges):
        fill(net, numbers[start:end], positions=range(start + 1, end + 1))
    remembered = found(net, *numbers)
    assert all(remembered[-ids:])
    assert all(at in (0, n) for n, at in enumerate(remembered, start=1))


def test_memory_is_bounded():
    net = NearNet(40)
    fill(net, range(1, 10_001))
    assert len(net) <= 40 * GENERATIONS / (GENERATIONS - 1)


def test_what_it_forgot_is_never_later_than_it_says():
    net = NearNet(4)
    times = [50, 10, 90, 20, 30, 40, 60, 70, 80, 15]
    fill(net, range(1, 11), times=times)
    forgotten = [times[n - 1] for n in range(1, 11) if not found(net, n)[0]]
    assert forgotten
    assert net.evicted_until == max(forgotten)


def test_a_net_that_forgot_nothing_says_so():
    net = NearNet(10)
    fill(net, [1, 2, 3])
    assert net.evicted_until is None


def test_times_before_1970_are_forgotten_rightly():
    net = NearNet(1)
    fill(net, range(1, 10), times=[-5000] * 9)
    assert net.evicted_until == -5000


def test_positions_are_kept_over_epochs():
    net = NearNet(10)
    positions = [7, 2**32 + 7, *((epoch << EPOCH_SHIFT) + epoch for epoch in (1, 5, 9))]
    fill(net, [1, 2], positions=positions[:2])
    fill(net, [3, 4, 5], positions=positions[2:])
    assert found(net, 1, 2, 3, 4, 5) == positions


@pytest.mark.parametrize("forgotten", [None, 7])
def test_it_takes_note_of_what_is_stored_but_not_remembered(forgotten):
    net = NearNet(10)
    net.forget_before(5)
    net.forget_before(forgotten)
    assert net.evicted_until == max(5, forgotten or 5)


def test_cleared_it_is_as_new():
    net = NearNet(1)
    fill(net, range(1, 10))
    net.clear()
    assert (len(net), net.evicted_until, found(net, 9)) == (0, None, [0])
