"""A real store for the questions."""

from collections.abc import AsyncIterator

import pytest

from service.migrate import migrate
from service.storage.duckdb import DuckDBStore


@pytest.fixture
async def store(tmp_path) -> AsyncIterator[DuckDBStore]:
    opened = DuckDBStore.open(tmp_path / "events.duckdb", "256MB")
    await migrate(opened)
    yield opened
    await opened.close()
