"""Passwords: what is kept of them, what a wrong one costs, and how many are checked at once."""

import asyncio

import pytest
from argon2 import PasswordHasher

from service.accounts.passwords import Passwords, check_password
from service.errors import InvalidInput, Overloaded
from tests.signing import quick_passwords

GOOD = "MySecurePassword123!"


@pytest.mark.parametrize("length", [8, 256])
def test_a_password_has_8_to_256_characters(length: int):
    check_password("é" * length)


@pytest.mark.parametrize("length", [0, 7, 257])
def test_shorter_and_longer_ones_are_refused(length: int):
    with pytest.raises(InvalidInput) as refused:
        check_password("é" * length)
    assert refused.value.field == "password"


async def test_what_is_kept_is_argon2id_and_says_nothing_of_the_password():
    kept = await Passwords().hash(GOOD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert GOOD not in kept


async def test_the_same_password_is_kept_differently_each_time():
    passwords = quick_passwords()
    assert await passwords.hash(GOOD) != await passwords.hash(GOOD)


@pytest.mark.parametrize("wrong", ["", GOOD.lower(), GOOD + " ", GOOD * 100, "\ud800" * 8])
async def test_only_the_same_password_matches(wrong: str):
    passwords = quick_passwords()
    kept = await passwords.hash(GOOD)
    assert await passwords.matches(GOOD, kept)
    assert not await passwords.matches(wrong, kept)


async def test_two_ways_to_write_the_same_letter_are_one_password():
    passwords = quick_passwords()
    assert await passwords.matches("cafe\u0301 noir", await passwords.hash("caf\u00e9 noir"))


class CountingHasher(PasswordHasher):
    """Counts what it verifies, and against which cost."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[str] = []

    def verify(self, kept, password):
        self.verified.append(kept.rpartition("$")[0].rpartition("$")[0])
        return super().verify(kept, password)


async def test_an_account_without_a_password_costs_what_a_wrong_password_costs():
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    kept = await passwords.hash(GOOD)
    assert not await passwords.matches("another one", kept)
    assert not await passwords.matches("nobody has this password", None)
    assert len(hasher.verified) == 2
    assert len(set(hasher.verified)) == 1


async def test_a_hash_of_another_cost_is_outdated():
    kept = await quick_passwords().hash(GOOD)
    assert not quick_passwords().is_outdated(kept)
    assert Passwords().is_outdated(kept)


async def test_who_would_wait_behind_too_many_is_sent_away():
    passwords = quick_passwords(at_once=1, most_waiting=2)
    tries = [passwords.hash(GOOD) for _ in range(5)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [isinstance(o, Overloaded) for o in outcomes] == [False] * 3 + [True] * 2
    assert await passwords.hash(GOOD)


async def test_no_more_are_hashed_at_once_than_may_be():
    at_once, most = 0, 0

    class Slow(PasswordHasher):
        def hash(self, password, *, salt=None):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            kept = super().hash(password)
            at_once -= 1
            return kept

    passwords = Passwords(Slow(time_cost=4, memory_cost=4096, parallelism=1), at_once=2)
    await asyncio.gather(*(passwords.hash(GOOD) for _ in range(8)))
    assert most == 2
