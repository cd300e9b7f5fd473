"""Which events of the stream are those of users who were erased: they are never stored again.

The stream keeps what it was given for a while after it was stored, and a store made anew reads it
from the beginning. So it is known of each erasure how far it reaches, and a message within its
reach is stored without the events of that user.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
import pyarrow as pa

from service.events import digest, tenant_seed
from service.plan import Incoming, Numbers
from service.storage.protocol import EPOCH_SHIFT, Progress
from service.stream.protocol import Message

_KEY = slice(0, 16)
"""The digits of `digest_of_user` that are the user's 64-bit digest."""
_SEQUENCE = np.uint64((1 << EPOCH_SHIFT) - 1)
_NONE = np.empty(0, np.uint32)


def digest_of_user(tenant: str, user_id: str) -> str:
    """What stays known of a user of a tenant who is erased: digits, the `user_key` first.

    It tells the user again when his events come by, and says nothing to who cannot guess his id.
    """
    key = digest(user_id, tenant_seed(tenant))
    return f"{key:016x}{blake2b(user_id.encode(), digest_size=16, key=tenant.encode()).hexdigest()}"


def key_of(digits: str) -> int:
    """The `user_key` in a `digest_of_user`."""
    return int(digits[_KEY], 16)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an erasure reaches: over all that was received `until` it was asked for, and over
    the messages of one stream up to a sequence, if it took them not later than `taken_at`: one that
    was set back gives its sequences to other messages. Times in ms since 1970 UTC; it names no
    stream while it has not been carried out."""

    tenant: str
    digest: str
    until: int
    stream: str = ""
    sequence: int = 0
    taken_at: int = 0

    def covers(self, received: int, stream: str, message: Message) -> bool:
        """Whether it reaches over an event that was received then and came with this message."""
        stands_there = self.stream == stream and message.sequence <= self.sequence
        return received <= self.until or (stands_there and message.time <= self.taken_at)


class Erasing(Protocol):
    """What the writer needs of whoever erases users."""

    async def load(self) -> None:
        """Learn of all erasures there are; before that nothing may be stored."""
        ...

    def among(self, incoming: Incoming, messages: Sequence[Message], stream: str) -> Numbers:
        """The numbers of the rows that must not be stored, of these messages of a stream."""
        ...

    async def carry_out(self, stored: Progress) -> None:
        """Erase who is to be erased, while the store stands still at `stored`.

        What fails is tried again at another call. Raises StoreFenced when it does not stand there.
        """
        ...


class NobodyErased:
    """There are no erasures."""

    async def load(self) -> None: ...

    def among(self, incoming: Incoming, messages: Sequence[Message], stream: str) -> Numbers:
        return _NONE

    async def carry_out(self, stored: Progress) -> None: ...


class Reaches:
    """The reaches of all erasures, and what lies within them."""

    def __init__(self, reaches: Iterable[Reach] = ()) -> None:
        self._of_user: dict[tuple[str, str], list[Reach]] = {}
        self._until = -1
        self._furthest: dict[str, int] = {}
        self._keys = np.empty(0, np.uint64)
        self.add(reaches)

    def __bool__(self) -> bool:
        return bool(self._of_user)

    def add(self, reaches: Iterable[Reach]) -> None:
        """Heed these too."""
        for reach in reaches:
            self._of_user.setdefault((reach.tenant, reach.digest), []).append(reach)
            self._until = max(self._until, reach.until)
            furthest = max(self._furthest.get(reach.stream, 0), reach.sequence)
            self._furthest[reach.stream] = furthest
        keys = {key_of(digits) for _, digits in self._of_user}
        self._keys = np.array(sorted(keys), np.uint64)

    def among(self, incoming: Incoming, messages: Sequence[Message], stream: str) -> Numbers:
        """The numbers of the rows that are events of erased users, within their reach."""
        rows, sequences = incoming.rows, incoming.positions & _SEQUENCE
        received = rows["received_at"].to_numpy()
        early = (received <= self._until) | (sequences <= self._furthest.get(stream, 0))
        if not early.any():
            return _NONE
        chosen = np.flatnonzero(early & np.isin(rows["user_key"].to_numpy(), self._keys))
        came_with = {message.sequence: message for message in messages}
        tenants, users = rows["tenant"].take(chosen), rows["user_id"].take(chosen)
        named = zip(chosen.tolist(), tenants.to_pylist(), users.to_pylist(), strict=True)
        numbers = [
            number
            for number, tenant, user in named
            for message in [came_with[int(sequences[number])]]
            if self.covers(tenant, user, int(received[number]), stream, message)
        ]
        return np.array(numbers, np.uint32)

    def staying(self, rows: pa.Table) -> pa.Table:
        """Of rows of a file (`environment`, `user_id`, `received_at`) those of nobody who was
        erased after they were received."""
        if not self._of_user or not rows.num_rows:
            return rows
        named, received = _named(rows), rows["received_at"].cast(pa.int64()).to_pylist()
        until = {who: self._until_of(*who) for who in set(named)}
        late = [at > until[who] for who, at in zip(named, received, strict=True)]
        return rows.filter(pa.array(late))

    def _until_of(self, tenant: str, user: str) -> int:
        reaches = self._of_user.get((tenant, digest_of_user(tenant, user)), ())
        return max((reach.until for reach in reaches), default=-1)

    def covers(self, tenant: str, user: str, received: int, stream: str, message: Message) -> bool:
        """Whether an event of this user, that came with the message then, is one of the erased."""
        reaches = self._of_user.get((tenant, digest_of_user(tenant, user)), ())
        return any(reach.covers(received, stream, message) for reach in reaches)


def _named(rows: pa.Table) -> Sequence[tuple[str, str]]:
    return list(zip(rows["environment"].to_pylist(), rows["user_id"].to_pylist(), strict=True))
