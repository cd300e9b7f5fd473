"""Signing in: codes, the accounts that they make, the sessions that they begin."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from service.accounts.codes import TRIES, codes
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.sessions import end_all, sessions
from service.accounts.sign_in import ATTEMPTS, LETTERS
from service.errors import InvalidCode, InvalidInput, RateLimited, Unauthenticated
from service.events import now_ms
from tests.signing import Accounts, opened_accounts

ADA, BOB = "ada@example.com", "bob@example.com"
TEN_MINUTES, DAY = 600_000, 86_400_000
"""Milliseconds."""


@pytest.fixture
async def accounts(tmp_path: Path):
    async with opened_accounts(tmp_path) as opened:
        yield opened


@pytest.fixture
async def elsewhere(accounts: Accounts, tmp_path: Path):
    """The same accounts as another process sees them."""
    async with opened_accounts(tmp_path) as opened:
        yield opened


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def is_refused(accounts: Accounts, code: str, email: str = ADA) -> bool:
    try:
        await accounts.sign_in.verify(email, code)
    except InvalidCode:
        return True
    return False


async def has_ended(accounts: Accounts, token: str) -> bool:
    try:
        await accounts.sessions.verify(token)
    except Unauthenticated:
        return True
    return False


async def test_the_code_of_the_letter_begins_a_session(accounts):
    before = now_ms()
    welcome = await accounts.welcome("Ada@Example.com")
    assert accounts.letters[-1].to == welcome.user.email == ADA
    signed_in = await accounts.sessions.verify(welcome.token)
    assert signed_in.user == welcome.user
    assert before // 1000 * 1000 <= signed_in.expires_at - DAY <= now_ms()


async def test_a_code_is_good_once(accounts):
    await accounts.welcome(ADA)
    assert await is_refused(accounts, accounts.letters.code)


async def test_two_who_bring_the_same_code_at_once_get_one_session(accounts):
    await accounts.sign_in.request_code(ADA)
    code = accounts.letters.code
    tries = (is_refused(accounts, code) for _ in range(5))
    assert sorted(await asyncio.gather(*tries)) == [False, True, True, True, True]


async def test_a_code_is_dead_after_five_wrong_ones(accounts):
    await accounts.sign_in.request_code(ADA)
    code = accounts.letters.code
    for _ in range(TRIES):
        assert await is_refused(accounts, another(code))
    assert await is_refused(accounts, code)


async def test_four_wrong_ones_leave_it_alive(accounts):
    await accounts.sign_in.request_code(ADA)
    code = accounts.letters.code
    for _ in range(TRIES - 1):
        assert await is_refused(accounts, another(code))
    assert not await is_refused(accounts, code)


async def test_a_code_is_dead_after_ten_minutes(accounts):
    before = now_ms()
    await accounts.sign_in.request_code(ADA)
    async with accounts.database.writing() as connection:
        kept = (await connection.execute(select(codes.c.expires_at))).scalar_one()
        await connection.execute(update(codes).values(expires_at=now_ms()))
    assert before <= kept - TEN_MINUTES <= now_ms()
    assert await is_refused(accounts, accounts.letters.code)


async def test_a_new_code_replaces_the_one_before(accounts):
    await accounts.sign_in.request_code(ADA)
    first = accounts.letters.code
    await accounts.sign_in.request_code(ADA)
    assert first == accounts.letters.code or await is_refused(accounts, first)
    assert not await is_refused(accounts, accounts.letters.code)


async def test_a_code_is_good_for_its_address_alone(accounts):
    await accounts.sign_in.request_code(BOB)
    for_bob = accounts.letters.code
    await accounts.sign_in.request_code(ADA)
    assert accounts.letters.code == for_bob or await is_refused(accounts, for_bob)


async def test_neither_code_nor_address_is_kept_in_clear(accounts, tmp_path):
    await accounts.sign_in.request_code(ADA)
    async with accounts.database.reading() as connection:
        (row,) = (await connection.execute(select(codes))).all()
    assert (len(row.account), len(row.digest)) == (64, 64)
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert ADA.encode() not in written


async def test_nothing_tells_whether_an_address_has_an_account_or_a_code(accounts):
    await accounts.welcome(ADA)
    said: list[str] = []
    listens = event.listens_for(accounts.database.engine.sync_engine, "before_cursor_execute")
    listens(lambda *call: said.append(call[2]))
    taken = []
    for email in (ADA, BOB):
        said.clear()
        await accounts.sign_in.request_code(email)
        taken.append(list(said))
        for address in (email, f"nobody-{email}"):
            said.clear()
            assert await is_refused(accounts, another(accounts.letters.code), address)
            taken.append(list(said))
    assert taken[:3] == taken[3:]
    assert taken[1] == taken[2]


async def test_an_address_gets_five_letters_in_ten_minutes(accounts):
    for _ in range(LETTERS.times):
        await accounts.sign_in.request_code(ADA)
    with pytest.raises(RateLimited) as refused:
        await accounts.sign_in.request_code("ADA@example.com")
    assert 590 < refused.value.retry_after <= 600
    assert len(accounts.letters) == 5
    await accounts.sign_in.request_code(BOB)


async def test_an_address_has_twenty_tries_an_hour_however_many_codes_are_sent(accounts):
    for _ in range(ATTEMPTS.times):
        await is_refused(accounts, "000000")
    await accounts.sign_in.request_code(ADA)
    with pytest.raises(RateLimited):
        await accounts.sign_in.verify(ADA, accounts.letters.code)


async def test_what_is_no_address_gets_no_letter(accounts):
    with pytest.raises(InvalidInput):
        await accounts.sign_in.request_code("ada")
    assert accounts.letters == []


async def test_whoever_signs_in_first_owns_the_default_environment(accounts):
    first, second = [(await accounts.welcome(email)).user for email in (ADA, BOB)]
    assert (first.environment_id, first.is_superuser) == (DEFAULT_ENVIRONMENT, True)
    assert not second.is_superuser
    own = await accounts.environments.find(second.environment_id)
    assert (own.name, own.public_metrics, own.tier) == ("bob", False, "free")


async def test_two_who_sign_in_first_at_once_do_not_share_it(accounts, elsewhere):
    tokens = await asyncio.gather(accounts.token(ADA), elsewhere.token(BOB))
    assert len(set(tokens)) == 2
    people = await accounts.users.list()
    assert sorted(user.is_superuser for user in people) == [False, True]
    assert len({user.environment_id for user in people}) == 2


async def test_with_an_owner_named_nobody_else_becomes_it(tmp_path):
    async with opened_accounts(tmp_path, owner=BOB) as accounts:
        people = [(await accounts.welcome(email)).user for email in (ADA, BOB)]
    assert [user.is_superuser for user in people] == [False, True]
    assert people[1].environment_id == DEFAULT_ENVIRONMENT


async def test_signing_in_again_is_the_same_user_in_another_session(accounts):
    first, second = await accounts.welcome(ADA), await accounts.welcome(ADA.upper())
    assert first.user == second.user
    assert first.token != second.token
    assert len(await accounts.users.list()) == 1


async def test_an_owner_may_do_everything_in_his_environment_and_there_alone(accounts):
    for email in (ADA, BOB):
        welcome = await accounts.welcome(email)
        principal = (await accounts.sessions.verify(welcome.token)).principal
        assert principal.tenant == welcome.user.environment_id
        assert principal.scopes == {"ingest", "read", "sql", "admin"}


async def test_a_session_ended_here_is_refused_at_once(accounts):
    token, other = await accounts.token(ADA), await accounts.token(ADA)
    await accounts.sessions.end(await accounts.sessions.verify(token))
    assert await has_ended(accounts, token)
    assert not await has_ended(accounts, other)


async def test_a_session_ended_elsewhere_is_refused_while_in_use(accounts, elsewhere):
    token = await accounts.token(ADA)
    signed_in = await elsewhere.sessions.verify(token)
    await accounts.sessions.end(signed_in)
    async with asyncio.timeout(20):
        while not await has_ended(elsewhere, token):
            await asyncio.sleep(0.01)


async def test_a_session_begun_elsewhere_is_known_at_once(accounts, elsewhere):
    await accounts.sessions.verify(await accounts.token(ADA))
    assert not await has_ended(accounts, await elsewhere.token(BOB))


async def test_all_sessions_of_a_user_can_be_ended(accounts):
    tokens = [await accounts.token(ADA) for _ in range(3)]
    others = await accounts.token(BOB)
    user = await accounts.users.find(ADA)
    assert await end_all(accounts.database, user) == 3
    await accounts.sessions._live.read_again()
    assert [await has_ended(accounts, token) for token in tokens] == [True] * 3
    assert not await has_ended(accounts, others)


async def test_sessions_long_over_are_forgotten_and_new_ones_still_heard_of(accounts, elsewhere):
    old = await accounts.token(ADA)
    await elsewhere.sessions.verify(old)
    async with accounts.database.writing() as connection:
        await connection.execute(update(sessions).values(expires_at=1))
    assert not await has_ended(elsewhere, await accounts.token(BOB))
    async with accounts.database.reading() as connection:
        left = (await connection.execute(select(sessions.c.revision))).scalars().all()
    assert list(left) == [2]


async def test_a_replaced_secret_signs_nobody_out_while_the_former_one_is_named(tmp_path):
    async with opened_accounts(tmp_path) as accounts:
        token = await accounts.token(ADA)
    async with opened_accounts(tmp_path, secrets=(b"new", b"a secret of the tests")) as accounts:
        assert not await has_ended(accounts, token)
    async with opened_accounts(tmp_path, secrets=(b"new",)) as accounts:
        assert await has_ended(accounts, token)
