"""A running edge for each test that asks for one; and one with real accounts behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.control import ADA, Person, registered
from tests.api.edge import Edge, running
from tests.signing import Accounts, opened_accounts


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with running() as edge:
        yield edge


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with opened_accounts(tmp_path) as opened:
        yield opened


@pytest.fixture
async def house(accounts: Accounts) -> AsyncIterator[Edge]:
    """The application over real accounts."""
    async with running(**vars(accounts)) as edge:
        yield edge


@pytest.fixture
async def ada(house: Edge) -> Person:
    """The first who registered: she is superuser."""
    return await registered(house, ADA)
