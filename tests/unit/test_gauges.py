"""What is measured when somebody asks: how far the store is behind, as the door sees it."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from service.events import now_ms
from service.gauges import SAMPLE, Gauges
from service.storage.mark import Mark
from service.storage.protocol import Progress
from service.stream.protocol import StreamState
from service.telemetry import registry
from tests.building import a_message


@dataclass
class Log:
    """A stream of messages with two events each, taken ten seconds ago."""

    last: int

    async def state(self) -> StreamState:
        return StreamState("stream", 1, self.last, 700)

    async def read(self, after: int, messages: int, wait: float):
        taken = range(after + 1, min(self.last, after + messages) + 1)
        return [replace(a_message(n, "a", "b"), time=now_ms() - 10_000) for n in taken]

    async def count_dead_letters(self) -> int:
        return 3


def value(name: str) -> float:
    found = registry.get_sample_value(f"headrace_{name}")
    assert found is not None
    return found


async def measured(tmp_path, last: int, **stored) -> None:
    mark = Mark(Progress(**{"epoch": 1, "stream_created": "stream", **stored}))
    await Gauges(Log(last), mark, tmp_path, 1000).measure()


@pytest.mark.parametrize("behind", [1, SAMPLE, 10 * SAMPLE])
async def test_the_lag_is_told_in_messages_events_and_seconds(tmp_path, behind):
    await measured(tmp_path, 100 + behind, sequence=100)
    assert (value("lag_messages"), value("lag_events")) == (behind, 2 * behind)
    assert 10 <= value("lag_seconds") < 60


async def test_a_store_that_has_all_is_not_behind(tmp_path):
    await measured(tmp_path, 7, sequence=7)
    assert [value(f"lag_{unit}") for unit in ("messages", "events", "seconds")] == [0, 0, 0]


async def test_of_a_stream_made_anew_all_is_behind(tmp_path):
    await measured(tmp_path, 5, sequence=900, stream_created="another")
    assert value("lag_messages") == 5


async def test_stream_letters_and_disk_are_measured_where_nothing_is_known_of_the_store(tmp_path):
    await Gauges(Log(5), None, tmp_path, 1000).measure()
    assert (value("stream_bytes"), value("stream_max_bytes")) == (700, 1000)
    assert value("dead_letters_kept") == 3
    assert 0 <= value("disk_free_bytes") <= value("disk_bytes")
    assert value("tasks") == len(asyncio.all_tasks()) >= 1
