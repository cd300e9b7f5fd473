"""The check of a replay: has the service counted what was sent?

What is exactly known: every event that was sent is either taken (`accepted`) or known already
(`duplicate`). The door's word is a hint: it may take for new what the writer recognises as a repeat
later, and a receipt tells how many of its events were stored. So, over the span of time that the
recording covers,

    growth of totalEvents  =  accepted  -  repeats that the writer found

with one slack: when a request had to be sent again because its answer was lost, the first try may
have been taken, and what it added comes back as duplicates, or as repeats that the writer found.
"""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from service.client import Client, Question
from service.recordings.recording import Extent
from service.replay.report import Counted, Tally

_MARGIN = 60_000
"""Most ms by which the question's span is wider than the recording."""
_PATIENCE = 10.0
"""Seconds to wait for what was sent before the replay began."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the service had counted in the span of the question before anything was sent."""

    question: Question
    total: int


async def baseline(client: Client, extent: Extent) -> Baseline:
    """Ask what is counted already, when everything acknowledged so far is."""
    now = (await client.stats()).timestamp
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        question = _fresh_question(extent)
        metrics = await client.metrics(question)
        settled = metrics.as_of is None or metrics.as_of >= now
        if settled or asyncio.get_running_loop().time() > deadline:
            return Baseline(question, metrics.total_events)
        await asyncio.sleep(0.2)


def _fresh_question(extent: Extent) -> Question:
    """A question that nobody has asked before, so that no cache can answer it."""
    margins = [timedelta(milliseconds=random.randint(1, _MARGIN)) for _ in range(2)]  # noqa: S311
    first, last = (datetime.fromtimestamp(t / 1000, UTC) for t in (extent.first, extent.last))
    return Question(start=first - margins[0], end=last + margins[1], limit=1)


async def counted(client: Client, before: Baseline, tally: Tally, concurrency: int) -> Counted:
    """Wait until everything sent is counted, and compare."""
    growth = await _growth(client, before, tally.receipts[-concurrency:])
    repeats = 0 if growth == tally.accepted else await _late_repeats(client, tally)
    uncertain = tally.duplicates_retried + min(repeats, tally.accepted_retried)
    return Counted(growth, tally.accepted - repeats, uncertain)


async def _growth(client: Client, before: Baseline, last_receipts: list[str]) -> int:
    """How much the total grew. With n requests under way at once, the last n receipts have the
    newest event among them."""
    growth = 0
    for receipt in last_receipts:
        question = msgspec.structs.replace(before.question, after=receipt)
        growth = (await client.metrics(question)).total_events - before.total
    return growth


async def _late_repeats(client: Client, tally: Tally) -> int:
    """How many of the accepted events are not stored at the places that the receipts name.

    A place has one receipt, however often it was given.
    """
    answers = await asyncio.gather(*(client.receipt(token) for token in set(tally.receipts)))
    return tally.accepted - sum(answer.stored for answer in answers)
