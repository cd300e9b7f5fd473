"""The secrets of keys that sign: sealed on disk, sealed again when SECRET_KEY is a new one."""

import time
from pathlib import Path

import pytest

from service.accounts.keys import NewKey
from service.accounts.signatures import Signed
from service.errors import InvalidSignature
from tests.documented import sign
from tests.signing import SECRET, Accounts, opened_accounts

NEW = b"the secret of today"


def request_of(key: NewKey, nonce: str = "a-nonce-of-the-tests") -> Signed:
    now = int(time.time())
    said = sign(key.key.id, key.signing_secret, "GET", "/", now=now, nonce=nonce)["authorization"]
    text = f"v1\n{now}\n{nonce}\nGET\n/\n".encode()
    return Signed(key.key.id, now, nonce.encode(), bytes.fromhex(said[-64:]), text)


def all_of(folder: Path) -> bytes:
    """Every byte in the files of a folder."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def a_key(accounts: Accounts) -> NewKey:
    return await accounts.keys.create("signer", ["read"], signs=True)


async def test_a_signing_secret_is_nowhere_on_disk(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts:
        key = await a_key(accounts)
        assert (await accounts.signatures.verify(request_of(key))).key_id == key.key.id
        assert key.signing_secret.removeprefix("evs_").encode() not in all_of(tmp_path)


async def test_a_secret_is_sealed_again_so_that_the_former_key_can_be_forgotten(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts:
        key = await a_key(accounts)
    async with opened_accounts(tmp_path, secrets=(NEW, SECRET)) as accounts:
        assert [await accounts.signatures.seal_again() for _ in range(2)] == [1, 0]
    async with opened_accounts(tmp_path, secrets=(NEW,)) as accounts:
        assert (await accounts.signatures.verify(request_of(key))).key_id == key.key.id


async def test_a_secret_that_does_not_open_is_no_secret(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts:
        key = await a_key(accounts)
    async with opened_accounts(tmp_path, secrets=(NEW,)) as accounts:
        other = await a_key(accounts)
        assert await accounts.signatures.seal_again() == 0
        with pytest.raises(InvalidSignature):
            await accounts.signatures.verify(request_of(key))
        assert (await accounts.signatures.verify(request_of(other))).key_id == other.key.id


async def test_a_signed_request_is_a_use_of_its_key(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts:
        key = await a_key(accounts)
        await accounts.signatures.verify(request_of(key))
    async with opened_accounts(tmp_path) as accounts:
        (listed,) = await accounts.keys.list()
    assert listed.last_used_at is not None


async def test_a_key_that_has_expired_signs_no_more(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts:
        now = time.time_ns() // 1_000_000
        key = await accounts.keys.create("gone", ["read"], signs=True, expires_at=now)
        with pytest.raises(InvalidSignature):
            await accounts.signatures.verify(request_of(key))
