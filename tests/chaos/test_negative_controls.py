"""The judge can say no: services broken on purpose are found out, each by its own fault.

Every control goes through a fault that a sound service survives in the tests beside this one.
"""

import sys
from pathlib import Path

import pytest

from tests.chaos.clients import Ledger, Load, make_events
from tests.chaos.faults import die_at, die_while_the_broker_stalls, roll_back, storm
from tests.chaos.judge import Findings, compare, wait_until_counted
from tests.chaos.tally import VARIABLE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broken(new_service, monkeypatch):
    """Makes a service with this part broken; what happens to it is in no tally."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def make(part, **settings):
        service = new_service(PYTHONPATH=ROOT, **settings)
        service.command = [sys.executable, "-m", "tests.chaos.broken", part]
        return service

    return make


def judged(service, ledger) -> Findings:
    wait_until_counted(service, len(ledger.acknowledged), still=2)
    service.stop()
    return compare(service, ledger)


def test_a_door_that_answers_before_the_stream_does_loses_events(broken, seed):
    service = broken("hasty-door").start()
    load = Load(service, seed)
    die_while_the_broker_stalls(service, load)
    assert judged(service, load.ledger).lost


def test_a_mark_moved_before_its_rows_loses_events(broken, seed):
    service = broken("mark-first")
    load = Load(service, seed)
    die_at(service, "writer.after_commit", load)
    assert judged(service, load.ledger).lost


def test_a_mark_moved_after_its_rows_doubles_events(broken, seed):
    service = broken("mark-last")
    load = Load(service, seed)
    die_at(service, "writer.after_commit", load)
    assert judged(service, load.ledger).doubled


def test_a_writer_that_resumes_from_its_highest_sequence_loses_events(broken, dice):
    service, ledger = broken("trusting-writer"), Ledger()
    roll_back(service, ledger, dice)
    assert judged(service, ledger).lost


def test_a_writer_that_judges_no_repeats_doubles_events(broken, dice, seed):
    service, ledger = broken("forgetful-writer", HEADRACE_DUPLICATE_WINDOW=1).start(), Ledger()
    storm(service, ledger, make_events(dice, "stormed", 500), seed)
    assert judged(service, ledger).doubled
