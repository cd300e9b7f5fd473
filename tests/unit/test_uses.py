"""Times of last use: gathered in memory, and the latest of all processes kept."""

from pathlib import Path

import pytest

from service.accounts.key_rows import api_keys
from service.accounts.uses import Uses
from tests.signing import Accounts, opened_accounts


@pytest.fixture
async def accounts(tmp_path: Path):
    async with opened_accounts(tmp_path) as opened:
        yield opened


async def last_used(accounts: Accounts) -> int | None:
    (key,) = await accounts.keys.list()
    return key.last_used_at


async def test_a_use_is_kept_when_it_is_written(accounts):
    key = (await accounts.keys.create("k", ["read"])).key
    uses = Uses(accounts.database, api_keys)
    uses.note(key.id)
    assert await last_used(accounts) is None
    await uses.close()
    assert await last_used(accounts) >= key.created_at


async def test_an_earlier_use_seen_by_another_process_does_not_count(accounts):
    key = (await accounts.keys.create("k", ["read"])).key
    slow, quick = Uses(accounts.database, api_keys), Uses(accounts.database, api_keys)
    slow.note(key.id)
    at_first = slow._used[key.id]
    quick._used[key.id] = (at_first[0] + 1000,)
    await quick.write()
    await slow.write()
    assert await last_used(accounts) == at_first[0] + 1000


async def test_nothing_is_written_before_its_time(accounts):
    key = (await accounts.keys.create("k", ["read"])).key
    uses = Uses(accounts.database, api_keys)
    uses.note(key.id)
    uses.write_in_time()
    assert await last_used(accounts) is None
    await uses.close()


async def test_a_use_in_time_is_written_while_the_service_runs(accounts):
    key = (await accounts.keys.create("k", ["read"])).key
    uses = Uses(accounts.database, api_keys, every=0)
    uses.note(key.id)
    uses.write_in_time()
    assert uses._writing
    await uses._writing
    assert await last_used(accounts)
