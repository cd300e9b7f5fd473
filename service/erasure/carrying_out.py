"""Carries out erasures, between one group of the stream and the next.

The writer stands still meanwhile, so what is in the store are the events up to its place, and an
erasure reaches over exactly those. That is noted first; from then on the writer stores nothing of
the user from before that place, however often the stream is read again. On DuckDB the rows and all
that was counted of them go in one transaction. ClickHouse goes step by step, and the rows last: by
them whoever begins anew after a crash finds what has to be counted again (docs/decisions/0019).
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service import crash
from service.accounts.erasures import Erasure, Erasures
from service.erased import Reaches
from service.erasure.asking import kept_of, values_of
from service.erasure.letters import discard_letters
from service.errors import HeadraceError, StoreFenced
from service.plan import STORED, Incoming, Numbers
from service.rollup import Rollup
from service.storage.protocol import EventStore, Group, Progress, Statement
from service.storage.statements import has_statement
from service.stream.protocol import Message, Stream
from service.telemetry import log, users_erased

LOOK_EVERY = 0.5
"""Seconds between looks for erasures that were asked for."""
AGAIN = 5.0
"""Seconds until what failed is tried again."""
TOGETHER = 50
"""Users of one environment erased at a time."""
_VERBS = ("erase", "recount")
_STEPS = (
    *("erase_from_minutes", "erase_empty_minutes", "erase_minutes", "recount_minutes"),
    *(f"{verb}_users_by_quarter" for verb in _VERBS),
    *(f"{verb}_users_by_day" for verb in _VERBS),
    *(f"{verb}_types_by_user" for verb in _VERBS),
    *(f"{verb}_{of}" for verb in _VERBS for of in ("sessions", "sessions_elsewhere")),
    *(f"{verb}_sessions_by_quarter" for verb in _VERBS),
    *("erase_customers", "erase_events", "free_customers", "free_expired"),
)
"""What an erasure does, in order; each engine has some of them."""

Values = Mapping[str, Any]


class Eraser:
    """The `Erasing` of a writer."""

    def __init__(
        self,
        erasures: Erasures,
        store: EventStore,
        stream: Stream,
        rollup: Rollup,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._erasures = erasures
        self._store = store
        self._stream = stream
        self._rollup = rollup
        self._reaches = Reaches()
        self._look_every = look_every
        self._next = 0.0

    async def load(self) -> None:
        self._reaches = Reaches(await self._erasures.reaches())

    def among(self, incoming: Incoming, messages: Sequence[Message], stream: str) -> Numbers:
        return self._reaches.among(incoming, messages, stream)

    async def carry_out(self, stored: Progress) -> None:
        clock = asyncio.get_running_loop().time
        if clock() < self._next:
            return
        self._next = clock() + self._look_every
        try:
            if waiting := await self._erasures.waiting(TOGETHER):
                await self._erase(waiting, stored)
                self._next = 0.0
        except StoreFenced:
            raise
        except (HeadraceError, OSError) as error:
            self._next = clock() + AGAIN
            log().error("erasure.failed", reason=str(error) or type(error).__name__)

    async def _erase(self, waiting: Sequence[Erasure], stored: Progress) -> None:
        tenant, users = waiting[0].tenant, [erasure.user_id or "" for erasure in waiting]
        await self._note_what_is_kept(waiting, tenant, users)
        self._reaches.add(await self._erasures.begin(waiting, stored))
        crash.point("erasure.after_begin")
        async with self._rollup.alone:
            values = values_of(tenant, users)
            await self._settle(stored, values)
            await self._delete(values)
        letters = await discard_letters(self._stream, tenant, users)
        crash.point("erasure.before_end")
        for erasure in waiting:
            await self._erasures.note(
                erasure, dead_letters=letters.discarded, unreadable_letters=letters.unreadable
            )
            await self._erasures.end(erasure)
        users_erased.inc(len(waiting))
        log().info("erasure.carried_out", environment=tenant, users=len(waiting))

    async def _settle(self, stored: Progress, values: Values) -> None:
        """Have the store's ledger count on no row of its last group, if none may be left of it.

        Else the writer would take it for lost.
        """
        last = Statement("left_of_message", {**values, "position": stored.position})
        [left] = await self._store.fetch(last)
        if not left["events"][0].as_py():
            await self._store.append(Group(STORED.empty_table(), stored, stored))

    async def _note_what_is_kept(
        self, waiting: Sequence[Erasure], tenant: str, users: list[str]
    ) -> None:
        [kept] = await self._store.fetch(kept_of(tenant, users))
        of_user = {row["user_id"]: row for row in kept.to_pylist()}
        for erasure in waiting:
            if row := of_user.get(erasure.user_id):
                await self._erasures.note(erasure, events=row["events"], versions=row["versions"])

    async def _delete(self, values: Values) -> None:
        steps = list(self._known(values))
        # Where rows are taken off the counts, and not buckets counted again, one transaction does.
        together = has_statement("erase_from_minutes", self._store.dialect)
        for group in [steps] if together else [[step] for step in steps]:
            await self._store.execute(*group)
            crash.point("erasure.after_step")

    def _known(self, values: Values) -> Iterator[Statement]:
        """What this store's engine has to do, the rows last."""
        dialect = self._store.dialect
        return (Statement(name, values) for name in _STEPS if has_statement(name, dialect))
