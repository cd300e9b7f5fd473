"""What is measured when somebody looks, rather than counted as it happens.

The lag is measured at the door, from the stream and from what is known of the store: a writer that
hangs, or is gone, tells nobody how far behind it is.
"""

import asyncio
import shutil
from pathlib import Path

from service.events import load_of, now_ms
from service.storage.mark import Mark
from service.stream.protocol import Stream, StreamState
from service.telemetry import (
    dead_letters_kept,
    disk_bytes,
    disk_free_bytes,
    lag_events,
    lag_messages,
    lag_seconds,
    stream_bytes,
    stream_most_bytes,
    tasks,
)

SAMPLE = 16
"""Messages that are read to know how many events are in those that wait."""


class Gauges:
    """Measures stream, lag and disk. `mark` is None where it is not known how far the store is."""

    def __init__(self, stream: Stream, mark: Mark | None, folder: Path, most_bytes: int) -> None:
        self._stream = stream
        self._mark = mark
        self._folder = folder
        stream_most_bytes.set(most_bytes)

    async def measure(self) -> None:
        """Set every gauge. Raises what stands in the way; what was set last then stands."""
        tasks.set(len(asyncio.all_tasks()))
        self._measure_disk()
        state = await self._stream.state()
        stream_bytes.set(state.bytes)
        dead_letters_kept.set(await self._stream.count_dead_letters())
        if self._mark and self._mark.progress.epoch:
            await self._measure_lag(self._mark, state)

    def _measure_disk(self) -> None:
        usage = shutil.disk_usage(self._folder)
        disk_bytes.set(usage.total)
        disk_free_bytes.set(usage.free)

    async def _measure_lag(self, mark: Mark, state: StreamState) -> None:
        stored = mark.progress
        same = stored.stream_created == state.created
        after = stored.sequence if same else max(0, state.first_sequence - 1)
        behind = max(0, state.last_sequence - after)
        waiting = await self._stream.read(after, SAMPLE, 0) if behind else []
        events = sum(load_of(message.body).events for message in waiting)
        lag_messages.set(behind)
        lag_events.set(events * behind / len(waiting) if waiting else 0)
        lag_seconds.set(max(0, now_ms() - waiting[0].time) / 1000 if waiting else 0)
