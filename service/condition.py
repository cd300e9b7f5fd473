"""How far the store of a running process is, for whoever asks how the service is doing."""

import msgspec

from service.events import now_ms
from service.migrate import Migratable, pending


class Condition(msgspec.Struct, rename="camel"):
    """Of one process and of the store behind it; times are ms since 1970 UTC."""

    clock: int
    pid: int
    due: list[str]
    """Migrations that the store lacks."""
    epoch: int
    sequence: int
    """Up to where the store has the stream."""
    message_time: int
    """When the stream took the last message that is stored."""


async def condition_of(store: Migratable, pid: int) -> Condition:
    """Ask the store; raises AnalyticsUnavailable when it does not answer."""
    stored = await store.progress()
    return Condition(
        clock=now_ms(),
        pid=pid,
        due=await pending(store),
        epoch=stored.epoch,
        sequence=stored.sequence,
        message_time=stored.message_time,
    )
