"""What was begun and what is done in a store without transactions: kept apart, moved by one writer.

An entry says which group of the stream is being stored, before its first row is, and again when all
of it is there. Whoever finds a group begun and not done stores exactly those rows again.
"""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from service.storage.protocol import Pending, Progress


class Entry(msgspec.Struct, frozen=True):
    """The last group of a store. `rows` of its messages are kept, the ones that `keep` names."""

    before: Progress
    after: Progress
    done: bool
    rows: int
    keep: bytes
    writer: str
    """Who wrote this: a name for one store object in one process."""

    @property
    def progress(self) -> Progress:
        """How far the store is, for certain."""
        return self.after if self.done else self.before

    @property
    def pending(self) -> Pending | None:
        """The group that was begun and is not known to be done."""
        return None if self.done else Pending(self.before, self.after, self.rows, self.keep)


class Ledger(Protocol):
    """Keeps the last entry of each store, durably. Every method may raise ConnectionError."""

    async def read(self, store: str) -> tuple[Entry | None, int]:
        """The last entry of a store and its revision; None and 0 when there is none."""
        ...

    async def write(self, store: str, entry: Entry, revision: int) -> int:
        """Put an entry in the place of the one with `revision`; the new revision.

        Raises StoreFenced when another writer has written since. After a ConnectionError it is
        unknown whether the entry was kept.
        """
        ...

    def follow(self, store: str) -> AsyncIterator[Entry]:
        """The last entry, and each later one soon after it was written; some may be left out."""
        ...
