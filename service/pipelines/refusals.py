"""Dead letters of a pipeline: records that were refused, with the reason and what they were.

A record is kept once however often it is refused: its place is its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service.errors import NotFound
from service.pipelines.bus import Broker, Bus, Carried, Frame, check_id
from service.pipelines.model import Place, Refused, SourceMessage
from service.stream.bucket import Moved
from service.stream.journal import Entry, Journal, Shape

LONGEST_REASON = 1000
EVERY_REFUSED = "headrace.refused.>"
"""The subject of every dead letter of every pipeline."""
_ATTEMPTS = 20


class Letter(msgspec.Struct, frozen=True):
    """A refused record as it is kept."""

    place: Place
    reason: str
    message: SourceMessage
    """What the source gave, before any mapping."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A dead letter, by what it is told and touched."""

    number: int
    subscription_id: str
    time: int
    """When it was refused last, ms since 1970 UTC."""
    letter: Letter


class Refusals:
    """The dead letters of one pipeline."""

    def __init__(self, journal: Journal, pipeline_id: str) -> None:
        self._journal = journal
        self._root = _root(pipeline_id)

    async def keep(
        self, subscription_id: str, carried: Carried, refused: Sequence[Refused]
    ) -> None:
        """Keep these records of a frame; all are on disk when it returns.

        Raises JournalFull when there is no room for more.
        """
        for place, reason in refused:
            message = carried.frame.messages[place.message]
            body = msgspec.msgpack.encode(
                Letter(place, reason[:LONGEST_REASON], message), enc_hook=str
            )
            await self._journal.append(body, f"{self._root}.{subscription_id}.{place.text}")

    async def list(self, after: int, most: int, subscription_id: str = "") -> Sequence[Kept]:
        """The oldest ones after that number, of all subscriptions or of one."""
        below = f"{self._root}.{subscription_id}.>" if subscription_id else f"{self._root}.>"
        return [_kept(entry) for entry in await self._journal.read(after, most, below)]

    async def find(self, number: int) -> Kept:
        """Raises NotFound."""
        found = await self._journal.read(number - 1, 1)
        if not found or found[0].sequence != number:
            raise NotFound(f"there is no dead letter {number}")
        return _kept(found[0])

    async def count(self) -> int:
        return (await self._journal.extent()).entries

    async def discard(self, number: int) -> None:
        await self._journal.discard(number)

    async def replay(self, number: int, bus: Bus, fixed: SourceMessage | None = None) -> int:
        """Send the message, or what it was fixed to, to its subscription once more; then it is no
        dead letter any longer. Returns where it stands on the bus.

        Sent twice (by two operators, or after a failure between) it is kept once for some minutes.

        Raises NotFound, JournalFull and TooLarge, and Moved where the bus moves too fast.
        """
        kept = await self.find(number)
        message = fixed or kept.letter.message
        sequence = await _put(bus, message, kept, f"{self._root}.again.{number}")
        await self._journal.discard(number)
        return sequence

    async def delete(self) -> None:
        await self._journal.delete()


async def open_refusals(broker: Broker, pipeline_id: str, max_bytes: int) -> Refusals:
    """The dead letters of a pipeline, with room made for them."""
    check_id(pipeline_id)
    shape = Shape(f"HEADRACE_REFUSED_{pipeline_id}", f"{_root(pipeline_id)}.>", max_bytes, each=1)
    return Refusals(await broker.journal(shape), pipeline_id)


async def _put(bus: Bus, message: SourceMessage, kept: Kept, name: str) -> int:
    """Append to the bus behind its head, with the head's cursor: the source hears nothing of it."""
    for _ in range(_ATTEMPTS):
        head = await bus.head()
        frame = Frame([message], head.cursor, kept.subscription_id)
        try:
            return await bus.put(frame, head.sequence, name)
        except Moved:
            continue
    raise Moved


def _kept(entry: Entry) -> Kept:
    subscription_id = entry.subject.split(".")[3]
    letter = msgspec.msgpack.decode(entry.body, type=Letter)
    return Kept(entry.sequence, subscription_id, entry.time, letter)


def _root(pipeline_id: str) -> str:
    return f"headrace.refused.{pipeline_id}"
