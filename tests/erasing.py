"""What tests of erasures share: the erasures of a database, and an eraser over real parts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from service.accounts.audit import SERVICE
from service.accounts.erasures import Erasures
from service.database import open_database, upgrade
from service.erasure.carrying_out import Eraser
from service.rollup import Rollup
from service.settings import Settings
from service.storage.protocol import EventStore
from service.stream.protocol import DeadLetter
from tests.building import TENANT
from tests.storing import AStream


class AQuietStream(AStream):
    """A stream without dead letters."""

    async def dead_letters(
        self, after: int, limit: int, tenant: str | None = None
    ) -> Sequence[DeadLetter]:
        return []


@asynccontextmanager
async def opened_erasures(folder: Path) -> AsyncIterator[Erasures]:
    """Those of a database of their own."""
    database = open_database(Settings(data_dir=folder))
    try:
        await upgrade(database)
        yield Erasures(database)
    finally:
        await database.close()


async def erase(
    erasures: Erasures, store: EventStore, *users: str, tenant: str = TENANT, stream=None
) -> None:
    """Erase users of a tenant from a store, as a writer that stands still there does."""
    for user in users:
        await erasures.ask(tenant, user, SERVICE)
    eraser = Eraser(erasures, store, stream or AQuietStream(), Rollup(store))
    await eraser.load()
    while await erasures.waiting(1):
        await eraser.carry_out(await store.progress())
