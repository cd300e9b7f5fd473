"""The check of a replay: exact, but for what lost answers leave open."""

from types import SimpleNamespace

import pytest

from service.client import Question
from service.replay.counting import Baseline, counted
from service.replay.report import Tally


class Service:
    """Has counted `total` events; of each receipt's 500 events it stored so many."""

    def __init__(self, total, stored):
        self.total, self.stored = total, stored

    async def metrics(self, question):
        return SimpleNamespace(total_events=self.total)

    async def receipt(self, token):
        return SimpleNamespace(accepted=500, stored=self.stored[token])


@pytest.mark.parametrize(
    ("growth", "right"), [(900, False), (1000, True), (1500, True), (2000, True), (2100, False)]
)
async def test_a_first_try_whose_answer_was_lost_may_have_added_what_the_retries_did_not(
    growth, right
):
    """500 new; 500 accepted again and found out by the writer; 500 known at the second try."""
    service = Service(100 + growth, {"new": 500, "again": 0, "other": 500})
    tally = Tally(accepted=1500, duplicates=500, duplicates_retried=500, accepted_retried=500)
    tally.receipts = list(service.stored)
    check = await counted(service, Baseline(Question(), 100), tally, concurrency=2)
    assert check.right is right


async def test_without_lost_answers_nothing_is_left_open():
    service = Service(1000, {"new": 500, "known": 0})
    tally = Tally(accepted=1000, receipts=["new", "known"])
    check = await counted(service, Baseline(Question(), 500), tally, concurrency=2)
    assert (check.new, check.expected, check.uncertain) == (500, 500, 0)
