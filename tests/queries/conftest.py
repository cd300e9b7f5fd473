"""A real store of each engine for the questions."""

from collections.abc import AsyncIterator

import pytest

from service.migrate import Migratable, migrate
from tests.stores import STORES


@pytest.fixture(params=STORES)
async def store(request, tmp_path) -> AsyncIterator[Migratable]:
    opened = await STORES[request.param](tmp_path)
    await migrate(opened)
    yield opened
    await opened.close()
