"""The only way to storage: reads the stream, judges repeats, stores groups, moves the mark.

The promise: what the stream acknowledged is stored once, in stream order, whatever dies. The store
keeps the rows and the place in the stream together, so the writer holds nothing that it could not
find again: after any failure it starts over from the store's own mark. A store that cannot keep the
two in one transaction says which group may be there in part; that one is stored again first.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate

import numpy as np
import pyarrow as pa

from service import crash, traces
from service.erased import Erasing, NobodyErased
from service.errors import HeadraceError, StoreFenced
from service.events import load_of, now_ms
from service.near_net import NearNet, remember_stored
from service.plan import (
    STORED,
    Incoming,
    Numbers,
    Plan,
    Poison,
    make_plan,
    make_plan_again,
    open_messages,
    suspect,
    unconfirmed,
)
from service.settings import Settings
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT, EventStore, Group, Pending, Progress
from service.stream.protocol import Message, Stream, StreamState
from service.telemetry import (
    append_seconds,
    dead_letters,
    detailed,
    events_repeated,
    events_stored,
    far_lookups,
    groups_again,
    log,
    stream_epochs,
    stream_gaps,
    writer_failures,
    writer_lag_messages,
)
from service.trail import REQUESTS, TRACE

READ_MESSAGES = 256
IDLE_WAIT = 0.25
_GATHER_PAUSE = 0.01
_LONGEST_PAUSE = 5.0
_WARM_EVERY = 2.0
"""Seconds between a standby's looks at what the writer has stored."""
_GROUP_BYTES = 64 * 1024 * 1024
_LONGEST_REQUESTS = 2000
"""Characters of the ids of requests in one line of the log."""
_NONE = np.empty(0, np.uint32)


class Writer:
    """Carries the stream into the store until told to stop. One a store."""

    def __init__(
        self,
        stream: Stream,
        store: EventStore,
        mark: Mark,
        settings: Settings,
        erasing: Erasing | None = None,
    ) -> None:
        self._stream = stream
        self._store = store
        self._mark = mark
        self._settings = settings
        self._erasing = erasing or NobodyErased()
        self.near_net = NearNet(settings.dedupe_ids)
        self.works = False
        """True while `run` goes on and its last attempt did not fail."""
        self._stopping = False
        self._certain = False
        """Whether the last step ended well, so that what is known here still holds."""
        self._stored = Progress()
        """What the store says, and where reading goes on."""
        self._remembered: Progress | None = None
        """How far the near net is filled; None while it is being filled."""
        self._connections = -1
        self._committed: deque[tuple[int, int]] = deque()
        """(time, sequence) of the last message of each group, until it is purged."""

    async def begin(self) -> None:
        """Find the place in the stream and fill the near net; the mark is true afterwards.

        After a failure too: the last insert may be in the store although it was not reported.
        """
        await self._erasing.load()
        self._stored = await self._store.progress()
        await self._remember()
        if pending := await self._store.pending():
            await self._carry_out_again(pending)
            await self._remember()
        await self._find_place()
        self._certain = True

    async def keep_warm(self, until: asyncio.Event) -> None:
        """Remember what another writer stores until told otherwise: taking over reads the rest.

        A failure is logged and tried again.
        """
        while not until.is_set():
            try:
                self._stored = await self._store.progress()
                await self._remember()
            except (HeadraceError, OSError) as error:
                log().warning("writer.not_warm", reason=str(error) or type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(_WARM_EVERY):
                    await until.wait()

    async def _remember(self) -> None:
        """Bring the near net up to what is stored."""
        stored, known = self._stored, self._remembered
        if stored != known:
            self._remembered = None
            after = known.position if known else 0
            await remember_stored(self.near_net, self._store, stored.position, after)
            self._remembered = stored

    async def run(self) -> None:
        """Store what comes until `stop`; failures are logged and tried again with a pause.

        Raises StoreFenced when another writer works on the same store.
        """
        pause = 0.1
        try:
            while not self._stopping:
                try:
                    self.works = True
                    await self.step(IDLE_WAIT)
                    pause = 0.1
                except StoreFenced:
                    raise
                except (HeadraceError, OSError) as error:
                    self.works = False
                    writer_failures.inc()
                    log().error("writer.failed", reason=str(error) or type(error).__name__)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            self.works = False

    def stop(self) -> None:
        """End `run` after the group under way."""
        self._stopping = True

    async def drain(self) -> None:
        """Store everything that the stream holds now."""
        while await self.step(0):
            pass

    async def step(self, wait: float) -> bool:
        """Carry one group from the stream to the store; False if none came in `wait` seconds."""
        if not self._certain:
            await self.begin()
        self._certain = False
        messages = await self._gather(wait)
        in_place = await self._is_in_place()
        if in_place and messages:
            crash.point("writer.after_read")
            plan = await self._plan(messages)
            origins = (message.notes.get(TRACE, "") for message in messages)
            with traces.inserting(origins, plan.group.rows.num_rows):
                await self._carry_out(plan)
            _log_group(plan, messages)
        if in_place:
            await self._erasing.carry_out(self._stored)
            await self._purge()
        self._certain = True
        return bool(messages) or not in_place

    async def _gather(self, wait: float) -> Sequence[Message]:
        """A run of messages worth one insert: enough events, enough time, or an urgent one."""
        messages = list(await self._stream.read(self._stored.sequence, READ_MESSAGES, wait))
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience(messages)
        while messages and not self._is_worth_an_insert(messages) and clock() < deadline:
            await asyncio.sleep(_GATHER_PAUSE)
            messages += await self._stream.read(messages[-1].sequence, READ_MESSAGES, 0)
        return self._cut(messages)

    def _patience(self, messages: Sequence[Message]) -> float:
        """Seconds that the first message may still wait: those it has waited do not count twice."""
        longest = self._settings.group_seconds
        waited = (now_ms() - messages[0].time) / 1000 if messages else 0.0
        return min(longest, max(0.0, longest - waited))

    def _is_worth_an_insert(self, messages: Sequence[Message]) -> bool:
        loads = [load_of(m.body) for m in messages]
        return (
            self._stopping
            or any(load.urgent for load in loads)
            or sum(load.events for load in loads) >= self._settings.group_events
            or sum(load.bytes for load in loads) >= _GROUP_BYTES
        )

    def _cut(self, messages: Sequence[Message]) -> Sequence[Message]:
        """As many messages as one insert may carry, one at least; the rest is read again."""
        sizes = accumulate(load_of(m.body).bytes for m in messages)
        fitting = sum(size <= _GROUP_BYTES for size in sizes)
        return messages[: max(1, fitting)]

    async def _plan(self, messages: Sequence[Message]) -> Plan:
        self._note_gap(messages)
        incoming = await asyncio.to_thread(open_messages, messages, self._stored.epoch)
        await self._put_dead_letters(incoming.poison)
        stored = await self._recognise(incoming)
        erased = self._erasing.among(incoming, messages, self._stored.stream_created)
        known, after = np.union1d(stored, erased), self._after(messages[-1])
        plan = await asyncio.to_thread(make_plan, incoming, known, self._stored, after)
        events_repeated.inc(plan.repeats - len(erased))
        return plan

    async def _recognise(self, incoming: Incoming) -> Numbers:
        """The numbers of the rows that the store holds already."""
        suspects = await asyncio.to_thread(suspect, incoming, self.near_net)
        far_lookups.inc(suspects.far)
        stored = await self._stored_among(suspects.candidates)
        again = await self._stored_among(unconfirmed(incoming, suspects, stored))
        return np.concatenate([stored, again])

    async def _stored_among(self, candidates: pa.Table) -> Numbers:
        if not candidates.num_rows:
            return _NONE
        known = await self._store.recognise(candidates)
        numbers: Numbers = known["row"].to_numpy()
        return numbers

    async def _carry_out(self, plan: Plan) -> None:
        crash.point("writer.before_commit")
        with append_seconds.time():
            await self._store.append(plan.group)
        crash.point("writer.after_commit")
        self._stored = plan.group.after
        self._committed.append((self._stored.message_time, self._stored.sequence))
        await asyncio.to_thread(self.near_net.add, plan.keys, plan.positions, plan.times)
        self._remembered = self._stored
        events_stored.inc(plan.group.rows.num_rows)
        self._mark.advance(self._stored)

    async def _carry_out_again(self, pending: Pending) -> None:
        """Store a group that may be there in part: the same rows, however they were judged."""
        log().warning("writer.group_again", position=pending.after.position, rows=pending.rows)
        groups_again.inc()
        messages = await self._messages_of(pending)
        incoming = await asyncio.to_thread(open_messages, messages, pending.after.epoch)
        if messages and (plan := make_plan_again(incoming, pending)):
            await self._carry_out(plan)
        else:
            self._stored = pending.after
            log().critical(
                "writer.group_given_up",
                position=pending.after.position,
                advice="the stream no longer has it; run `headrace verify`",
            )

    async def _messages_of(self, pending: Pending) -> list[Message]:
        """All messages of a group; none if the stream is another, or holds them no longer."""
        before, last = pending.before, pending.after.sequence
        state = await self._stream.state()
        if last < state.first_sequence or not await self._is_the_same_stream(pending.after, state):
            return []
        messages: list[Message] = []
        place = before.sequence if before.epoch == pending.after.epoch else 0
        while place < last:
            more = await self._stream.read(place, READ_MESSAGES, IDLE_WAIT)
            messages += [message for message in more if message.sequence <= last]
            if not more:
                raise ConnectionError("the broker does not answer with messages that it holds")
            place = more[-1].sequence
        return messages

    def _after(self, last: Message) -> Progress:
        return Progress(
            self._stored.epoch, self._stored.stream_created, last.sequence, last.id, last.time
        )

    def _note_gap(self, messages: Sequence[Message]) -> None:
        expected = range(self._stored.sequence + 1, messages[-1].sequence + 1)
        if missing := len(expected) - len(messages):
            stream_gaps.inc(missing)
            log().error("writer.gap", after=self._stored.sequence, missing=missing)

    async def _put_dead_letters(self, poison: Sequence[Poison]) -> None:
        for found in poison:
            position = self._stored.epoch << EPOCH_SHIFT | found.message.sequence
            message = found.message
            await self._stream.put_dead_letter(message.tenant, position, found.reason, message.body)
            dead_letters.inc()
            requests = message.notes.get(REQUESTS, "")
            log().error(
                "writer.dead_letter", position=position, reason=found.reason, requests=requests
            )
        if poison:
            crash.point("writer.after_dead_letter")

    async def _purge(self) -> None:
        """Forget what is stored and older than the safety margin, but never the last message."""
        oldest_kept = time.time() * 1000 - self._settings.stream_keep_seconds * 1000
        before = 0
        while self._committed and self._committed[0][0] < oldest_kept:
            before = self._committed.popleft()[1]
        if before:
            crash.point("writer.before_purge")
            await self._stream.purge(before)
            crash.point("writer.after_purge")

    async def _is_in_place(self) -> bool:
        """False when the stream may be another than the one last read; the place is found anew."""
        place, state = self._stored, await self._stream.state()
        writer_lag_messages.set(max(0, state.last_sequence - place.sequence))
        if (
            self._connections == self._stream.connections
            and place.stream_created == state.created
            and place.sequence <= state.last_sequence
        ):
            return True
        await self._find_place()
        return False

    async def _find_place(self) -> None:
        """Compare the stream with what the store has read of it, and go on or begin an epoch."""
        self._connections = self._stream.connections
        stored, state = self._stored, await self._stream.state()
        if await self._is_the_same_stream(stored, state):
            if stored.sequence and not self._committed:
                # What an earlier process stored must go too, or a full stream stays full.
                self._committed.append((stored.message_time, stored.sequence))
        else:
            await self._begin_epoch(state)
        self._mark.advance(self._stored)

    async def _begin_epoch(self, state: StreamState) -> None:
        """Read all that this stream holds; the store knows of the epoch before any of its rows."""
        stored, before_all = self._stored, max(0, state.first_sequence - 1)
        self._committed.clear()
        anew = Progress(stored.epoch + 1, state.created, before_all)
        if stored.epoch:
            stream_epochs.inc()
            log().critical(
                "writer.new_epoch",
                epoch=anew.epoch,
                stored_sequence=stored.sequence,
                stream_sequence=state.last_sequence,
                advice="the stream was rolled back or made anew; all of it is read again",
            )
        await self._store.append(Group(STORED.empty_table(), stored, anew))
        self._stored = self._remembered = anew

    async def _is_the_same_stream(self, stored: Progress, state: StreamState) -> bool:
        if stored.stream_created != state.created or stored.sequence > state.last_sequence:
            return False
        if stored.sequence == 0 or stored.sequence < state.first_sequence:
            return True
        return await self._stream.message_id(stored.sequence) == stored.message_id


def _log_group(plan: Plan, messages: Sequence[Message]) -> None:
    """Which positions, and so which batches, are stored now."""
    if detailed():
        requests = (message.notes.get(REQUESTS, "") for message in messages)
        log().debug(
            "writer.group.stored",
            first_position=plan.group.after.epoch << EPOCH_SHIFT | messages[0].sequence,
            last_position=plan.group.after.position,
            events=plan.group.rows.num_rows,
            repeats=plan.repeats,
            requests=",".join(named for named in requests if named)[:_LONGEST_REQUESTS],
        )
