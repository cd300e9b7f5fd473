"""Does what is counted agree with what is stored, and what is stored with the stream?"""

from collections.abc import Sequence

from service.rollup import Finding, Rollup
from service.storage.protocol import EventStore
from service.stream.protocol import Stream


async def inspect(rollup: Rollup, store: EventStore, stream: Stream) -> Sequence[Finding]:
    """Compare rollups with raw rows, and the store's offset with the stream."""
    return [*await rollup.verify(), *await _compare_offset(store, stream)]


async def _compare_offset(store: EventStore, stream: Stream) -> Sequence[Finding]:
    stored, state = await store.progress(), await stream.state()
    if not stored.epoch:
        return []  # nothing was ever read
    findings = [
        Finding("stream: it is the one that was read", stored.stream_created, state.created),
        Finding(
            "stream: it reaches to the store's offset",
            stored.sequence,
            min(stored.sequence, state.last_sequence),
        ),
    ]
    if stored.sequence >= max(1, state.first_sequence):
        found = await stream.message_id(stored.sequence)
        findings.append(Finding("stream: the message at the offset", stored.message_id, found))
    return findings
