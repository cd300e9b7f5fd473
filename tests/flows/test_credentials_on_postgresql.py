"""Keys, signing tokens and the audit log in PostgreSQL, as two processes have them open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from service.accounts.audit_log import Asked
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.signing_tokens import Wanted
from service.errors import Forbidden, InvalidKey
from service.settings import Settings
from tests.signing import Accounts, opened_accounts

Both = tuple[Accounts, Accounts]


@pytest.fixture
async def both(postgres) -> AsyncIterator[Both]:
    """The same accounts, as two processes have them open."""
    settings = Settings(postgres_url=await postgres.new_database())
    async with AsyncExitStack() as processes:
        here = await processes.enter_async_context(opened_accounts(settings))
        yield here, await processes.enter_async_context(opened_accounts(settings))


async def until(refused: type[Exception], call: Callable[[], Awaitable[Any]]) -> None:
    """Return when the call raises this."""
    async with asyncio.timeout(20):
        while True:
            try:
                await call()
            except refused:
                return
            await asyncio.sleep(0.01)


async def test_a_rotated_key_is_refused_everywhere_when_its_grace_is_over(both: Both):
    here, there = both
    former = await here.keys.create("collector", ["ingest"])
    await there.keys.verify(former.text)
    successor = await here.keys.rotate(former.key.id, grace=0)
    assert await there.keys.verify(successor.text)
    await until(InvalidKey, lambda: there.keys.verify(former.text))


async def test_changed_scopes_hold_everywhere(both: Both):
    here, there = both
    new = await here.keys.create("collector", ["ingest"])
    await there.keys.verify(new.text)
    await here.keys.change(new.key.id, {"scopes": ["read"]})
    async with asyncio.timeout(20):
        while (await there.keys.verify(new.text)).scopes != {"read"}:
            await asyncio.sleep(0.01)


async def test_a_signing_token_revoked_here_is_refused_there(both: Both):
    here, there = both
    made = await here.signing_tokens.create(Wanted("acc1", "ws1", "casino"), DEFAULT_ENVIRONMENT)
    await there.signing_tokens.find(made.text)
    await here.signing_tokens.revoke(made.token.id, DEFAULT_ENVIRONMENT)
    await until(Forbidden, lambda: there.signing_tokens.find(made.text))


async def test_the_use_of_a_signing_token_there_is_told_here(both: Both):
    here, there = both
    made = await here.signing_tokens.create(Wanted("acc1", "ws1", "casino"), DEFAULT_ENVIRONMENT)
    there.signing_tokens.note_use(await there.signing_tokens.find(made.text), "shell")
    await there.signing_tokens.close()
    (token,) = await here.signing_tokens.list(DEFAULT_ENVIRONMENT)
    assert (token.last_scheme, token.last_used_at is None) == ("shell", False)


async def test_rotations_at_once_make_one_successor(both: Both):
    former = await both[0].keys.create("collector", ["ingest"])
    tries = (accounts.keys.rotate(former.key.id) for accounts in both * 3)
    made = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, Exception) for each in made) == 5
    assert len(await both[0].keys.list()) == 2


async def test_the_audit_log_is_one_for_all(both: Both):
    here, there = both
    for accounts, name in ((here, "a"), (there, "b"), (here, "c")):
        await accounts.keys.create(name, ["read"])
    first = await here.audit.page(Asked(None, action="key.", limit=2))
    rest = await there.audit.page(Asked(None, action="key.", cursor=first.next or ""))
    named = [entry.details["name"] for page in (first, rest) for entry in page.entries]
    assert named == ["c", "b", "a"]
    assert await there.audit.forget() == 0
