"""What goes on in pipelines, for people who reach them: lines, figures, records, dead letters."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from service.accounts import audit
from service.database import Database, heard
from service.errors import Conflict, IngestionUnavailable, NotFound
from service.pipelines.bus import Broker, Bus, Carried, Frame, open_bus
from service.pipelines.control.pipelines import note, pipeline_within
from service.pipelines.control.reach import Reach
from service.pipelines.control.rows import Pipeline
from service.pipelines.control.states import WORKED
from service.pipelines.control.subscriptions import Held, subscription_within
from service.pipelines.drawing import Drawing, Drawn
from service.pipelines.forgetting import forget
from service.pipelines.mapper import Column
from service.pipelines.model import ConnectorConfig, SourceMessage, SubscriptionConfig
from service.pipelines.positions import Positions
from service.pipelines.refusals import Kept, Refusals, open_refusals
from service.pipelines.telling import FigureBook, Line, Logs
from service.pipelines.watching import Figures
from service.stream.bucket import Moved
from service.stream.journal import JournalFull

SAMPLE = 100
"""Records that a dry run looks at."""
MOST_LINES = 1000
MOST_LETTERS = 100
_FRAMES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of each pipeline's bus and dead letters."""

    bus: int
    refused: int


class Insight:
    """Looks into pipelines that somebody reaches.

    Everything raises NotFound and Forbidden as `Pipelines` does, AccountsUnavailable, and
    IngestionUnavailable when the broker does not answer.
    """

    def __init__(self, database: Database, broker: Broker, room: Room) -> None:
        self._database = database
        self._broker = broker
        self._room = room

    async def logs(
        self, reach: Reach, pipeline_id: str, after: int = 0, most: int = MOST_LINES
    ) -> Sequence[tuple[int, Line]]:
        """The newest lines after that number, oldest first, each with its own."""
        await self._pipeline(reach, pipeline_id)
        return await self.lines(pipeline_id, after, most)

    async def lines(
        self, pipeline_id: str, after: int = 0, most: int = MOST_LINES
    ) -> Sequence[tuple[int, Line]]:
        """The same, for who was found to reach it just now."""
        with _answered():
            logs = await Logs.on(self._broker)
            return (await logs.read(pipeline_id, after))[-most:]

    async def figures(
        self, reach: Reach, pipeline_id: str
    ) -> tuple[Pipeline, Mapping[str, Figures]]:
        """How each subscription of it does by its id, and under `source` its source."""
        pipeline = await self._pipeline(reach, pipeline_id)
        with _answered():
            return pipeline, await (await FigureBook.on(self._broker)).read(pipeline_id)

    async def sample(self, reach: Reach, pipeline_id: str) -> Sequence[SourceMessage]:
        """The newest messages that its source gave, oldest first."""
        await self._pipeline(reach, pipeline_id)
        with _answered():
            return (await _newest(await self._bus(pipeline_id))).frame.messages

    async def dry_run(
        self, reach: Reach, pipeline_id: str, columns: Sequence[Column], transforms: Sequence[Any]
    ) -> tuple[Sequence[SourceMessage], Drawn]:
        """What these columns and transforms would make of the newest messages of its source.

        Raises InvalidInput for a mapper or transforms that cannot be.
        """
        await self._pipeline(reach, pipeline_id)
        nowhere = ConnectorConfig("", {})
        drawing = Drawing(SubscriptionConfig("", columns, nowhere, transforms=transforms))
        with _answered():
            carried = await _newest(await self._bus(pipeline_id))
        return carried.frame.messages, drawing.draw(carried)

    async def backfill(self, reach: Reach, pipeline_id: str, since: int | None) -> int:
        """Have every subscription of it begin again: at the first record that the bus holds, or the
        first of a time (ms since 1970 UTC). How many do. Raises Conflict for a draft.
        """
        pipeline = await self._pipeline(reach, pipeline_id)
        if pipeline.state == "draft":
            raise Conflict("a draft has had no records yet: start it")
        with _answered():
            bus = await self._bus(pipeline_id)
            place = 0 if since is None else await bus.before(since)
            await self._note(reach, audit.PIPELINE_BACKFILLED, pipeline, since=since)
            positions = await Positions.on(self._broker)
            for one in pipeline.subscriptions:
                await positions.turn(pipeline_id, one.id, place)
        return len(pipeline.subscriptions)

    async def letters(
        self, reach: Reach, subscription_id: str, after: int, most: int
    ) -> Sequence[Kept]:
        """Its dead letters after that number, the oldest first."""
        held = await self._subscription(reach, subscription_id)
        with _answered():
            refusals = await self._refusals(held.pipeline.id)
            return await refusals.list(after, most, subscription_id)

    async def discard(self, reach: Reach, subscription_id: str, number: int) -> None:
        """Throw a dead letter away."""
        held = await self._subscription(reach, subscription_id)
        with _answered():
            refusals = await self._refusals(held.pipeline.id)
            await _letter(refusals, subscription_id, number)
            await self._note_letter(reach, audit.LETTER_DISCARDED, held, number)
            await refusals.discard(number)

    async def replay(
        self, reach: Reach, subscription_id: str, number: int, value: Mapping[str, Any] | None
    ) -> int:
        """Send a dead letter to its subscription again, or the value that it was fixed to; where it
        stands on the bus then.
        """
        held = await self._subscription(reach, subscription_id)
        with _answered():
            refusals = await self._refusals(held.pipeline.id)
            kept = await _letter(refusals, subscription_id, number)
            message = kept.letter.message
            await self._note_letter(reach, audit.LETTER_REPLAYED, held, number)
            fixed = None
            if value is not None:
                fixed = SourceMessage(value, message.key, message.time, message.metadata)
            return await refusals.replay(number, await self._bus(held.pipeline.id), fixed)

    async def forget(self, pipeline: Pipeline) -> None:
        """Take away what the broker holds of a pipeline that is no more. Of one that ran just now
        its worker does it, when it has ended.
        """
        if pipeline.state in WORKED:
            return
        with _answered():
            await forget(self._broker, pipeline.id)

    async def _note(self, reach: Reach, action: str, pipeline: Pipeline, **more: Any) -> None:
        """Before it is done: what may have been done is in the audit log."""
        with heard():
            async with self._database.writing() as connection:
                await note(connection, reach, action, pipeline, **more)

    async def _note_letter(self, reach: Reach, action: str, held: Held, number: int) -> None:
        one = {"subscription": held.subscription.id, "number": number}
        await self._note(reach, action, held.pipeline, **one)

    async def _bus(self, pipeline_id: str) -> Bus:
        return await open_bus(self._broker, pipeline_id, self._room.bus)

    async def _refusals(self, pipeline_id: str) -> Refusals:
        return await open_refusals(self._broker, pipeline_id, self._room.refused)

    async def _pipeline(self, reach: Reach, pipeline_id: str) -> Pipeline:
        with heard():
            async with self._database.reading() as connection:
                return await pipeline_within(connection, reach, pipeline_id)

    async def _subscription(self, reach: Reach, subscription_id: str) -> Held:
        with heard():
            async with self._database.reading() as connection:
                return await subscription_within(connection, reach, subscription_id)


async def _newest(bus: Bus) -> Carried:
    """The newest messages of the bus as one frame, SAMPLE at most."""
    extent, found = await bus.extent(), list[SourceMessage]()
    last, time = extent.last, 0
    while len(found) < SAMPLE and last >= max(extent.first, 1):
        first = max(extent.first, last - _FRAMES_AT_ONCE + 1)
        carried = await bus.read(first - 1, last - first + 1)
        messages = [message for one in carried for message in one.frame.messages]
        time = time or (carried[-1].time if carried else 0)
        found, last = [*messages, *found], first - 1
    return Carried(extent.last, time, Frame(found[-SAMPLE:]))


async def _letter(refusals: Refusals, subscription_id: str, number: int) -> Kept:
    kept = await refusals.find(number)
    if kept.subscription_id != subscription_id:
        raise NotFound(f"there is no dead letter {number}")
    return kept


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except (ConnectionError, JournalFull, Moved) as error:
        raise IngestionUnavailable(f"the broker does not take it now: {error}") from error
