"""What the operator changes: it holds in sessions and keys that are in use, and is noted."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.accounts.audit import Actor
from service.accounts.audit_log import Asked
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.governing import (
    environment_called,
    make_environment,
    set_active,
    set_superuser,
    set_tier,
)
from service.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from tests.signing import Accounts, opened_accounts

ADA, BOB = "ada@example.com", "bob@example.com"
ROOT = Actor("operator", "root", "root", "")


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with opened_accounts(tmp_path) as opened:
        yield opened


async def test_another_tier_holds_for_sessions_and_keys_in_use(accounts):
    token = await accounts.token(ADA)
    key = await accounts.keys.create("large", ["read"])
    await accounts.sessions.verify(token)
    assert await set_tier(accounts.database, DEFAULT_ENVIRONMENT, "basic", ROOT) == 1
    await accounts.sessions.hear()
    assert (await accounts.sessions.verify(token)).principal.tier == "basic"
    await accounts.keys.revoke((await accounts.keys.create("k", ["read"])).key.id)
    assert (await accounts.keys.verify(key.text)).tier == "basic"


async def test_whoever_may_not_sign_in_any_more_is_out(accounts):
    await accounts.token(ADA)
    token = await accounts.token(BOB)
    await accounts.sessions.verify(token)
    assert not (await set_active(accounts.database, BOB, False, ROOT)).is_active
    await accounts.sessions.hear()
    with pytest.raises(Unauthenticated):
        await accounts.sessions.verify(token)


async def test_whoever_may_sign_in_again_does_so_anew(accounts):
    await accounts.token(ADA)
    token = await accounts.token(BOB)
    for is_active in (False, True):
        await set_active(accounts.database, BOB, is_active, ROOT)
    with pytest.raises(Unauthenticated):
        await accounts.sessions.verify(token)
    assert await accounts.sessions.verify(await accounts.token(BOB))


async def test_a_superuser_is_one_in_the_session_that_he_has(accounts):
    await accounts.token(ADA)
    token = await accounts.token(BOB)
    assert not (await accounts.sessions.verify(token)).principal.is_superuser
    await set_superuser(accounts.database, BOB, True, ROOT)
    await accounts.sessions.hear()
    assert (await accounts.sessions.verify(token)).principal.is_superuser


async def test_an_owner_who_worked_nowhere_works_in_the_environment_made_for_him(accounts):
    async with accounts.database.writing() as connection:
        await accounts.users.register(connection, ADA, None, ROOT)
        await accounts.users.register(connection, BOB, None, ROOT)
    made = await make_environment(accounts.database, "production", BOB, "pro", ROOT)
    assert (await accounts.users.find(BOB)).environment_id == made.id
    principal = (await accounts.sessions.verify(await accounts.token(BOB))).principal
    assert (principal.tenant, principal.tier) == (made.id, "pro")
    assert "admin" in principal.scopes


async def test_a_name_that_is_taken_or_an_owner_who_is_not_there_makes_nothing(accounts):
    before = await accounts.environments.list()
    for name, owner, refusal in (("default", None, Conflict), ("new", ADA, NotFound)):
        with pytest.raises(refusal):
            await make_environment(accounts.database, name, owner, "free", ROOT)
    with pytest.raises(InvalidInput):
        await make_environment(accounts.database, "new", None, "golden", ROOT)
    assert await accounts.environments.list() == before
    page = await accounts.audit.page(Asked(None, action="environment."))
    assert page.entries == []


async def test_an_environment_is_found_by_its_id_and_by_its_name(accounts):
    made = await make_environment(accounts.database, "production", None, "free", ROOT)
    for called in (made.id, "production"):
        assert (await environment_called(accounts.database, called)).id == made.id
    with pytest.raises(NotFound):
        await environment_called(accounts.database, "staging")


async def test_what_the_operator_changed_is_noted_with_what_was_before(accounts):
    await set_tier(accounts.database, DEFAULT_ENVIRONMENT, "pro", ROOT)
    (entry,) = (await accounts.audit.page(Asked(DEFAULT_ENVIRONMENT))).entries
    assert (entry.by, entry.action) == (ROOT, "environment.changed")
    assert entry.details == {"tier": "pro", "former": "enterprise", "keys_lowered": 0}
