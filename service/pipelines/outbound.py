"""From the bus to one target: read frames, draw records, write them, note how far it is.

What was written and not noted when a worker dies is written again: a target that knows how far it
is (`written`) leaves it out, one that tells records apart by a key takes it for the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from service import crash
from service.errors import ConnectorBroken, TargetBusy, TargetUnavailable
from service.pipelines.bus import Bus, Carried
from service.pipelines.connectors.protocol import Target, block_of
from service.pipelines.drawing import Drawing
from service.pipelines.model import Outgoing, Place, Refused, SubscriptionConfig
from service.pipelines.positions import Mark, Position, Turned
from service.pipelines.refusals import Refusals
from service.pipelines.trying import Stopped, Trying, closed
from service.pipelines.watching import Watch
from service.stream.journal import JournalFull

WRITE_TIMEOUT = 60.0
LARGEST_WRITE = 5_000
SMALLEST_WRITE = 1
_FIRST_WRITE = 500
_SLOW, _FAST = 5.0, 1.0
"""Seconds: a write that took longer is followed by a smaller one, one that was shorter by a
larger one."""
_FRAMES = 4
_LOOK_EVERY = 1.0
_IDLE_PAUSE, _LONGEST_IDLE = 0.02, 0.4

OpenTarget = Callable[[int], Awaitable[Target]]
"""Opens the target, told how often an operator turned the subscription."""


@dataclass(frozen=True, slots=True)
class Way:
    """What one subscription goes through."""

    bus: Bus
    mark: Mark
    refusals: Refusals
    open_target: OpenTarget
    open_error_target: OpenTarget | None
    together: int = 1
    """Messages in a row that the target is given in one piece."""


class Outbound:
    """Carries one subscription."""

    def __init__(
        self, subscription: SubscriptionConfig, way: Way, watch: Watch, trying: Trying
    ) -> None:
        """Raises InvalidInput when the subscription's mapper makes no sense."""
        self._subscription = subscription
        self._drawing = Drawing(subscription)
        self._way = way
        self._watch = watch
        self._trying = trying
        self._target: Target | None = None
        self._error_target: Target | None = None
        self._written: Place | None = None
        self._most = _FIRST_WRITE
        self._position = Position(0)
        self._end = 0
        self._looked = 0.0

    @property
    def sequence(self) -> int:
        """The frame up to which everything is done."""
        return self._position.sequence

    async def begin(self, everything: bool) -> None:
        """Find where it stands, before it is run. A new subscription begins where it is told to,
        at the next record if nothing is said, or with `everything` that is on the bus.
        """
        mark, bus, since = self._way.mark, self._way.bus, self._subscription.since
        extent = await bus.extent()
        self._end = first = extent.last
        if await mark.load() is None:
            if since is not None:
                first = await bus.before(since)
            elif everything or self._subscription.backfill:
                first = max(0, extent.first - 1)
            await mark.move(Position(first))
        self._position = mark.position

    async def run(self) -> None:
        """Write until told to stop. Raises ConnectorBroken when the target will not work, and
        StoreFenced when another worker carries the subscription.
        """
        try:
            await self._trying.until_done(self._open, TargetUnavailable)
            self._look_whether_set_back()
            pause = _IDLE_PAUSE
            while not self._trying.stopped:
                carried = await self._trying.until_there(self._next)
                for one in carried:
                    await self._follow(one)
                pause = _IDLE_PAUSE if carried else min(pause * 1.5, _LONGEST_IDLE)
                if not carried:
                    await self._trying.sleep(pause)
                    await self._look_whether_turned()
        except Stopped:
            return
        finally:
            await self._close()

    def _look_whether_set_back(self) -> None:
        """A bus out of a backup may end before what was done: what follows would be left out."""
        done = max(self._position.sequence, self._written.sequence if self._written else 0)
        if done > self._end:
            raise ConnectorBroken(
                f"the bus was set back: it ends at {self._end}, and {done} is done; have the"
                " subscription begin again (backfill): what its target holds comes once more"
            )

    async def _next(self) -> Sequence[Carried]:
        return await self._way.bus.read(self._position.sequence, _FRAMES)

    async def _look_whether_turned(self) -> None:
        """While there is nothing to do, an operator's word is looked for now and then."""
        clock = asyncio.get_running_loop().time
        if clock() - self._looked < _LOOK_EVERY:
            return
        self._looked = clock()
        found = await self._trying.until_there(self._way.mark.load)
        if found and found.turned != self._position.turned:
            await self._turn()

    async def _turn(self) -> None:
        """Go on where an operator said."""
        self._position, self._written = self._way.mark.position, None
        self._watch.say("info", f"turned to what follows {self._position.sequence}")
        await self._close()

    async def _follow(self, carried: Carried) -> None:
        """Carry a frame; where an operator turned the subscription, go on there instead."""
        if self._trying.stopped or carried.sequence <= self._position.sequence:
            return
        try:
            await self._carry(carried)
        except Turned:
            await self._turn()

    async def _carry(self, carried: Carried) -> None:
        drawn = self._drawing.draw(carried)
        await self._put_aside(carried, drawn.refused)
        left = self._left(drawn.outgoing)
        while left:
            size = _size(left, self._most, self._way.together)
            batch, left = left[:size], left[size:]
            await self._put_aside(carried, await self._write(batch))
            self._watch.took(len(batch))
            if left:
                await self._note(self._position.at(batch[-1].place))
        await self._note(self._position.after(carried.sequence))
        self._watch.latency(carried.time)

    def _left(self, records: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """What is not done; they are in order, so where the first is not, none is."""
        if not records or not self._is_done(records[0].place):
            return records
        return [one for one in records if not self._is_done(one.place)]

    def _is_done(self, place: Place) -> bool:
        return self._position.covers(place) or (
            self._written is not None and place <= self._written
        )

    async def _write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        crash.point("pipeline.before_write")
        refused = await self._trying.until_done(
            lambda: self._try_to_write(batch), TargetUnavailable
        )
        crash.point("pipeline.after_write")
        return refused

    async def _try_to_write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self._open()
                assert self._target
                refused = await self._target.write(self._left(batch))
        except TargetBusy:
            self._most = max(SMALLEST_WRITE, self._most // 2)
            raise
        except (TargetUnavailable, OSError, TimeoutError) as error:
            self._most = max(SMALLEST_WRITE, self._most // 2)
            await self._close()
            raise TargetUnavailable(str(error) or type(error).__name__) from error
        self._suit(clock() - began)
        return refused

    def _suit(self, seconds: float) -> None:
        """Suit the size of a write to how long it takes."""
        if seconds > _SLOW:
            self._most = max(SMALLEST_WRITE, self._most // 2)
        elif seconds < _FAST:
            self._most = min(LARGEST_WRITE, self._most * 2)

    async def _open(self) -> None:
        """Have the target open, and know how far it says that it is."""
        if self._target:
            return
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                self._target = await self._way.open_target(self._position.turned)
                await self._target.ping()
                self._written = await self._target.written()
        except (TargetUnavailable, OSError, TimeoutError) as error:
            await self._close()
            raise TargetUnavailable(str(error) or type(error).__name__) from error
        self._watch.opened("target")

    async def _put_aside(self, carried: Carried, refused: Sequence[Refused]) -> None:
        """Keep refused records with the dead letters, and send them to the error target."""
        fresh = [one for one in refused if not self._position.covers(one.place)]
        if not fresh:
            return
        keep = self._way.refusals.keep
        try:
            await self._trying.until_there(lambda: keep(self._subscription.id, carried, fresh))
        except JournalFull:
            raise ConnectorBroken(
                f"there is no room for more dead letters; the last: {fresh[-1].reason}"
            ) from None
        crash.point("pipeline.after_aside")
        self._watch.refuse(len(fresh), fresh[-1].reason)
        if self._way.open_error_target:
            await self._tell(carried, fresh)

    async def _tell(self, carried: Carried, refused: Sequence[Refused]) -> None:
        """Send refused records to the error target; one that it refuses too is a dead letter."""
        batch = [_told(carried, self._subscription.id, one) for one in refused]
        await self._trying.until_done(lambda: self._try_to_tell(batch), TargetUnavailable)

    async def _try_to_tell(self, batch: Sequence[Outgoing]) -> None:
        assert self._way.open_error_target
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                if self._error_target is None:
                    self._error_target = await self._way.open_error_target(self._position.turned)
                await self._error_target.write(batch)
        except (TargetUnavailable, OSError, TimeoutError) as error:
            await self._close()
            raise TargetUnavailable(f"the error target: {error or type(error).__name__}") from error

    async def _note(self, position: Position) -> None:
        crash.point("pipeline.before_note")
        await self._trying.until_there(lambda: self._way.mark.move(position))
        crash.point("pipeline.after_note")
        self._position = self._way.mark.position

    async def _close(self) -> None:
        opened = (self._target, self._error_target)
        self._target = self._error_target = None
        for target in opened:
            if target:
                await closed(target)


def _size(left: Sequence[Outgoing], most: int, together: int) -> int:
    """How many of the records of a frame are written at once: so many, and the rest of a block."""
    if together == 1 or most >= len(left):
        return most
    last = block_of(left[most - 1].place, together)
    rest = takewhile(lambda one: block_of(one.place, together) == last, left[most:])
    return most + sum(1 for _ in rest)


def _told(carried: Carried, subscription_id: str, refused: Refused) -> Outgoing:
    """A refused record as the error target is told it."""
    message = carried.frame.messages[refused.place.message]
    record = {
        "subscription": subscription_id,
        "place": refused.place.text,
        "reason": refused.reason,
        "message": message.value,
    }
    return Outgoing(refused.place, record, ["subscription", "place"], carried.time, message.key)
