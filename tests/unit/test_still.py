"""Credentials looked at again by their id, for those who listen: in any process, until they end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from service.accounts.credentials import now_ms
from service.accounts.keys import Keys
from service.accounts.sessions import Sessions
from service.accounts.tokens import Tokens
from service.errors import HeadraceError, InvalidKey, Unauthenticated
from tests.signing import Accounts, opened_accounts


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with opened_accounts(tmp_path) as opened:
        yield opened


@pytest.fixture
async def elsewhere(accounts: Accounts) -> AsyncIterator[Keys]:
    """The keys as another process has them."""
    keys = Keys(accounts.database)
    yield keys
    await keys.close()


async def until_refused(look: Callable[[], Awaitable[Any]]) -> HeadraceError:
    """What is raised in the end."""
    async with asyncio.timeout(20):
        while True:
            try:
                await look()
            except HeadraceError as error:
                return error
            await asyncio.sleep(0.02)


async def test_a_key_is_known_by_its_id_in_any_process(accounts: Accounts, elsewhere: Keys):
    made = await accounts.keys.create("k", ["read"])
    principal = await accounts.keys.verify(made.text)
    assert await accounts.keys.still(made.key.id) == principal
    assert await elsewhere.still(made.key.id) == principal


async def test_a_key_revoked_in_another_process_is_refused(accounts: Accounts, elsewhere: Keys):
    made = await accounts.keys.create("k", ["read"])
    await elsewhere.still(made.key.id)
    await accounts.keys.revoke(made.key.id)
    assert isinstance(await until_refused(lambda: elsewhere.still(made.key.id)), InvalidKey)


async def test_a_key_past_its_time_is_refused(accounts: Accounts):
    made = await accounts.keys.create("k", ["read"], expires_at=now_ms() + 300)
    assert isinstance(await until_refused(lambda: accounts.keys.still(made.key.id)), InvalidKey)


@pytest.mark.parametrize("unknown", ["", "key_x", "ses_x"])
async def test_an_id_that_nobody_has_is_refused(accounts: Accounts, unknown: str):
    with pytest.raises(InvalidKey):
        await accounts.keys.still(unknown)
    with pytest.raises(Unauthenticated):
        await accounts.sessions.still(unknown)


async def test_a_session_that_ends_is_refused_by_its_id_in_any_process(accounts: Accounts):
    other = Sessions(accounts.database, Tokens(b"another secret"))
    signed_in = await accounts.sessions.verify(await accounts.token("ada@example.com"))
    assert (await other.still(signed_in.session_id)).user == signed_in.user
    await accounts.sessions.end(signed_in)
    error = await until_refused(lambda: other.still(signed_in.session_id))
    assert isinstance(error, Unauthenticated)
    await other.close()
