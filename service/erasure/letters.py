"""Dead letters of users who are erased: what can be read of messages that could not be stored."""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from service.errors import PoisonMessage
from service.events import columns_of
from service.stream.protocol import DeadLetter, Stream

_READ = 100
"""Letters read at a time."""


@dataclass(slots=True)
class Letters:
    """What became of the dead letters of an environment."""

    discarded: int = 0
    unreadable: int = 0
    """Kept, because nobody can tell whose events they are."""


async def discard_letters(stream: Stream, tenant: str, user_ids: Collection[str]) -> Letters:
    """Let go of every letter of an environment that holds an event of one of these users."""
    found, after = Letters(), 0
    while letters := await stream.dead_letters(after, _READ, tenant):
        after = letters[-1].sequence
        for letter in letters:
            await _judge(stream, letter, user_ids, found)
    return found


async def _judge(
    stream: Stream, letter: DeadLetter, user_ids: Collection[str], found: Letters
) -> None:
    try:
        named = _names(letter.body, user_ids)
    except PoisonMessage:
        found.unreadable += 1
        return
    if named:
        await stream.discard_dead_letter(letter.sequence)
        found.discarded += 1


def _names(body: bytes, user_ids: Collection[str]) -> bool:
    """Whether one of these users is named. Raises PoisonMessage when that cannot be told."""
    events = columns_of(body)
    column = events.schema.get_field_index("user_id")
    if column < 0 or not pa.types.is_string(events.schema.field(column).type):
        raise PoisonMessage("the batch has no users")
    return bool(pc.any(pc.is_in(events.column(column), pa.array(list(user_ids)))).as_py())
