"""Signing tokens: made for an account and a workspace, rotated, pinned, revoked, found."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.accounts.audit_log import Asked
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.signing_tokens import NewSigningToken, SigningTokens, Wanted
from service.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from tests.signing import Accounts, opened_accounts

HOME = DEFAULT_ENVIRONMENT


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with opened_accounts(tmp_path) as opened:
        yield opened


@pytest.fixture
def tokens(accounts: Accounts) -> SigningTokens:
    return accounts.signing_tokens


@pytest.fixture
async def tokens_elsewhere(tokens, tmp_path: Path) -> AsyncIterator[SigningTokens]:
    """The same tokens as another process sees them."""
    async with opened_accounts(tmp_path) as opened:
        yield opened.signing_tokens


async def a_token(tokens: SigningTokens, **wanted: Any) -> NewSigningToken:
    usual = {"account_id": "acc1", "workspace_id": "ws1", "name": "casino"}
    return await tokens.create(Wanted(**usual | wanted), HOME)


async def ended(tokens: SigningTokens, text: str) -> bool:
    try:
        await tokens.find(text)
    except Forbidden:
        return True
    return False


async def test_a_token_speaks_for_its_environment_account_and_workspace(tokens):
    new = await a_token(tokens)
    found = await tokens.find(new.text)
    assert found == new.token
    assert (found.environment_id, found.account_id, found.workspace_id) == (HOME, "acc1", "ws1")
    assert (found.scheme, found.requires_nonce) == (None, False)


async def test_a_token_has_256_random_bits_and_is_nowhere_on_disk(tokens, tmp_path):
    new = await a_token(tokens)
    assert new.text.startswith("evt_")
    assert len(new.text) == len("evt_") + 43
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert new.token.prefix.encode() in written
    assert new.text.removeprefix(new.token.prefix).encode() not in written


@pytest.mark.parametrize("text", ["", "evt_", "evt_" + "x" * 43, "é", "\udc80"])
async def test_an_unknown_token_is_told_from_one_that_has_ended(tokens, text):
    gone = await a_token(tokens, expires_at=int(time.time() * 1000))
    with pytest.raises(Unauthenticated):
        await tokens.find(text)
    assert await ended(tokens, gone.text)


async def test_a_token_revoked_elsewhere_is_refused_while_in_use(tokens, tokens_elsewhere):
    new = await a_token(tokens)
    await tokens.find(new.text)
    await tokens_elsewhere.revoke(new.token.id, HOME)
    async with asyncio.timeout(20):
        while not await ended(tokens, new.text):
            await asyncio.sleep(0.01)


async def test_a_rotated_token_stays_valid_beside_its_successor(tokens):
    former = await a_token(tokens, scheme="shell", requires_nonce=True)
    new = await tokens.rotate(former.token.id, HOME)
    assert (await tokens.find(new.text)).scheme == "shell"
    still = await tokens.find(former.text)
    assert still.successor_id == new.token.id
    assert 0 < still.expires_at - time.time() * 1000 <= 24 * 3600 * 1000


async def test_a_token_rotated_without_grace_ends_at_once(tokens):
    former = await a_token(tokens)
    new = await tokens.rotate(former.token.id, HOME, grace=0)
    assert await ended(tokens, former.text)
    assert (await tokens.find(new.text)).requires_nonce is False


async def test_what_has_ended_or_was_rotated_is_not_rotated_again(tokens):
    former = await a_token(tokens)
    new = await tokens.rotate(former.token.id, HOME)
    with pytest.raises(Conflict, match=new.token.id):
        await tokens.rotate(former.token.id, HOME)
    await tokens.revoke(new.token.id, HOME)
    with pytest.raises(Conflict, match="revoked"):
        await tokens.rotate(new.token.id, HOME)


async def test_a_token_is_pinned_and_asked_for_nonces_at_once(tokens):
    new = await a_token(tokens)
    await tokens.change(new.token.id, HOME, {"scheme": "hkdf", "requires_nonce": True})
    found = await tokens.find(new.text)
    assert (found.scheme, found.requires_nonce, found.name) == ("hkdf", True, "casino")


async def test_the_list_tells_when_a_token_was_used_last_and_how(tokens, accounts):
    new = await a_token(tokens)
    tokens.note_use(await tokens.find(new.text), "hkdf-swapped")
    await tokens.close()
    (token,) = await tokens.list(HOME)
    assert token.last_used_at >= token.created_at
    assert token.last_scheme == "hkdf-swapped"


@pytest.mark.parametrize("change", ["get", "rotate", "revoke"])
async def test_a_token_of_another_environment_is_not_there(tokens, change):
    new = await a_token(tokens)
    with pytest.raises(NotFound):
        await getattr(tokens, change)(new.token.id, "env_other")
    assert await tokens.find(new.text)
    assert await tokens.list("env_other") == []


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"account_id": ""}, "accountId"),
        ({"workspace_id": "x" * 129}, "workspaceId"),
        ({"workspace_id": "two\nlines"}, "workspaceId"),
        ({"name": ""}, "name"),
        ({"scheme": "rot13"}, "scheme"),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(tokens, wanted, field):
    with pytest.raises(InvalidInput) as refused:
        await a_token(tokens, **wanted)
    assert refused.value.field == field


async def test_every_change_is_noted_and_no_text_of_a_token(tokens, accounts):
    first = await a_token(tokens)
    second = await tokens.rotate(first.token.id, HOME)
    await tokens.revoke(first.token.id, HOME)
    page = await accounts.audit.page(Asked(HOME, action="signing_token."))
    actions = [entry.action.removeprefix("signing_token.") for entry in page.entries]
    assert actions == ["revoked", "rotated", "made"]
    assert page.entries[1].details["replaces"] == first.token.id
    assert not any(text in repr(page) for text in (first.text, second.text))
