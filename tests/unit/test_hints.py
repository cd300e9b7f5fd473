"""Hints: what the door says of repeats."""

import numpy as np

from service.hints import Hints
from service.near_net import NearNet


def keys(*numbers):
    return np.array(numbers, np.uint64)


def test_a_key_is_seen_once_it_is_recorded():
    hints = Hints()
    assert hints.seen(keys(1, 2)).tolist() == [False, False]
    hints.record(keys(1))
    assert hints.seen(keys(1, 2)).tolist() == [True, False]


def test_what_the_writer_remembers_counts_too():
    net = NearNet(10)
    hints = Hints(net)
    net.add(keys(5), keys(1), np.zeros(1, np.int64))
    assert hints.seen(keys(5, 6)).tolist() == [True, False]


def test_a_key_may_be_recorded_twice():
    hints = Hints()
    for key in (1, 2, 1):
        hints.record(keys(key, key))
    assert hints.seen(keys(1, 2, 3)).tolist() == [True, True, False]


def test_the_keys_recorded_last_are_remembered_and_the_oldest_let_go():
    hints = Hints(remembered=2)
    for key in range(1, 10):
        hints.record(keys(key))
    assert hints.seen(keys(7, 8, 9)).all()
    assert not hints.seen(keys(1, 2, 3)).any()
