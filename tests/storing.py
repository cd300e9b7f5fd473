"""What tests of the event store share: events put into a real one, as the writer puts them."""

from collections.abc import Sequence

from service.events import Event
from service.plan import open_messages
from service.storage.protocol import EventStore, Group, Progress
from service.stream.protocol import StreamState
from tests.building import TENANT, a_message


def a_group(before: Progress, *batches: Sequence[Event | str], tenant: str = TENANT) -> Group:
    """One message a batch, following `before`."""
    messages = [
        a_message(before.sequence + n, *events, tenant=tenant)
        for n, events in enumerate(batches, start=1)
    ]
    last = messages[-1]
    after = Progress(before.epoch, "stream", last.sequence, last.id, last.time)
    return Group(open_messages(messages, before.epoch).rows, before, after)


async def put(store: EventStore, *batches: Sequence[Event | str], tenant: str = TENANT) -> Progress:
    """Append one message a batch; how far the store is then."""
    group = a_group(await store.progress(), *batches, tenant=tenant)
    await store.append(group)
    return group.after


class AStream:
    """A stream that is as far as it says, or away."""

    def __init__(self, last_sequence: int | None = None, created: str = "stream") -> None:
        self._last, self._created = last_sequence, created

    async def state(self) -> StreamState:
        if self._last is None:
            raise ConnectionError("the broker is away")
        return StreamState(self._created, 1, self._last, 0)
