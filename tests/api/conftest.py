"""A running edge for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.api.edge import Edge, running


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with running() as edge:
        yield edge
