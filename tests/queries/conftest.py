"""A real store of each engine for the questions."""

from collections.abc import AsyncIterator

import pytest

from service.migrate import Migratable, migrate
from tests.stores import STORES


@pytest.fixture(params=STORES)
async def store(request, tmp_path) -> AsyncIterator[Migratable]:
    async with STORES[request.param](tmp_path) as opened:
        await migrate(opened)
        yield opened
