"""Dying at each named point, and at any moment, loses and doubles nothing."""

import random

import pytest

from service.crash import POINTS
from tests.chaos.clients import Load
from tests.chaos.faults import die_at, die_while_the_broker_stalls, kill_at_random
from tests.chaos.judge import assert_counted_once

EAGER = {"HEADRACE_STREAM_KEEP_SECONDS": 0, "HEADRACE_ROLLUP_EVENTS": 50}
"""Purge and roll up after almost every group, so that the writer often comes by every point."""
POISONED = "writer.after_dead_letter"
AT_WORK = [p for p in POINTS if p.split(".")[0] in {"door", "writer", "rollup"} and p != POISONED]
"""The points that a service on DuckDB comes by; those of other work have tests of their own."""


@pytest.mark.parametrize("point", AT_WORK)
def test_dying_twice_at_a_named_point_loses_and_doubles_nothing(point, new_service, seed):
    service = new_service(**EAGER)
    load = Load(service, seed)
    die_at(service, point, load)
    assert_counted_once(service, load.ledger)


def test_dying_after_a_dead_letter_keeps_the_letter_once(new_service, seed):
    service = new_service(**EAGER)
    load = Load(service, seed)
    die_at(service, POISONED, load)
    letters = service.headrace("dead-letters", "list").stdout
    assert letters.count("unknown form") == 2, letters
    assert_counted_once(service, load.ledger)


def test_a_kill_while_the_broker_acknowledges_nothing_loses_nothing(new_service, seed):
    service = new_service().start()
    load = Load(service, seed)
    die_while_the_broker_stalls(service, load)
    assert_counted_once(service, load.ledger)


@pytest.mark.timeout(1200)
def test_random_kills_of_service_and_broker_lose_and_double_nothing(new_service, seed, seconds):
    service = new_service(**EAGER).start()
    load = Load(service, seed)
    with load:
        killed = kill_at_random(service, load, seconds, random.Random(seed))
    assert min(killed.values()) > 0
    assert_counted_once(service, load.ledger)
