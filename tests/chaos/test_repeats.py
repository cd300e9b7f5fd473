"""The same events again and again: at once, cut otherwise, later, after restarts."""

import time

import pytest

from tests.chaos.clients import DAY, Ledger, deliver_all, make_event, make_events
from tests.chaos.faults import storm
from tests.chaos.judge import assert_counted_once

FORGETFUL = {"HEADRACE_DUPLICATE_WINDOW": 1, "HEADRACE_STREAM_KEEP_SECONDS": 0}


@pytest.mark.parametrize("remembered", [10_000_000, 500], ids=["near net", "far net"])
def test_a_storm_of_repeats_counts_each_event_once(remembered, new_service, dice, seed):
    service = new_service(**FORGETFUL, HEADRACE_DEDUPE_IDS=remembered).start()
    ledger, events = Ledger(), make_events(dice, "stormed", 3000)
    storm(service, ledger, events, f"{seed}-1")
    time.sleep(1.5)
    storm(service, ledger, events, f"{seed}-2")
    service.kill()
    service.start()
    storm(service, ledger, events, f"{seed}-3")
    assert len(ledger.acknowledged) == 3000
    assert_counted_once(service, ledger)


def test_events_of_any_past_and_of_the_next_day_count_once_over_a_kill(new_service, dice):
    service, ledger = new_service(HEADRACE_DEDUPE_IDS=100).start(), Ledger()
    now = int(time.time() * 1000)
    moments = [-2_208_988_800_000, -1, 0, 1, 951_782_400_000, now + DAY - 60_000]
    events = [make_event(dice, f"at-{n}-{at}", at) for n in range(100) for at in moments]
    deliver_all(service, ledger, [events])
    service.kill()
    service.start()
    deliver_all(service, ledger, [events[::-1]])
    assert_counted_once(service, ledger)
