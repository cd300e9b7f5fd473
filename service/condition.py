"""How far the store of a running process is, for whoever asks how the service is doing."""

import httpx2
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


class _Answer(msgspec.Struct):
    data: Condition


async def condition_in(client: httpx2.AsyncClient) -> Condition:
    """What a running service says, over its route for operators.

    Raises httpx2.HTTPError when it does not answer, msgspec.MsgspecError for another program.
    """
    answer = await client.get("/-/condition")
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=_Answer).data


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
