"""Keys in PostgreSQL: what one process changes, all others hear; its silence is borne."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from service.accounts.audit import nobody
from service.accounts.callers import Caller
from service.accounts.environments import Environments
from service.accounts.keys import Keys
from service.accounts.pages import Span
from service.database import open_database, upgrade
from service.errors import AccountsUnavailable, AddressTaken, InvalidKey, Unauthenticated
from service.pipelines.control.exchange import Everything
from service.pipelines.control.reach import Reach
from service.settings import Settings
from tests.servers import a_postgres
from tests.signing import Accounts, opened_accounts


@pytest.fixture
async def opened(postgres) -> AsyncIterator[Callable[[], Keys]]:
    """Opens the same keys as often as asked, as processes of their own do."""
    url = await postgres.new_database()
    made = []

    def keys() -> Keys:
        made.append(open_database(Settings(postgres_url=url)))
        return Keys(made[-1])

    keys()
    await upgrade(made[0])
    await Environments(made[0]).ensure_default()
    yield keys
    for database in made:
        await database.close()


async def until_refused(keys: Keys, text: str) -> None:
    """Go on using the key until it is refused."""
    async with asyncio.timeout(20):
        while True:
            try:
                await keys.verify(text)
            except InvalidKey:
                return
            await asyncio.sleep(0.01)


async def test_a_key_revoked_by_one_process_is_refused_by_all_while_in_use(opened):
    here, *others = opened(), opened(), opened()
    new = await here.create("collector", ["ingest"])
    for keys in others:
        assert (await keys.verify(new.text)).name == "collector"
    await here.revoke(new.key.id)
    await asyncio.gather(*(until_refused(keys, new.text) for keys in others))


async def test_changes_made_at_once_by_many_processes_get_a_revision_each(opened):
    many = [opened() for _ in range(4)]
    new = await asyncio.gather(*(keys.create(f"k{n}", ["read"]) for n, keys in enumerate(many * 5)))
    follower = opened()
    for key in new:
        await follower.verify(key.text)
    changes = await follower._changes(0)
    assert len({change.revision for change in changes}) == len(changes) == 20


async def test_known_keys_outlive_a_restart_of_the_server():
    with a_postgres() as server:
        database = open_database(Settings(postgres_url=await server.new_database()))
        await upgrade(database)
        await Environments(database).ensure_default()
        keys = Keys(database)
        new = await keys.create("collector", ["ingest"])
        await keys.verify(new.text)
        server.end(signal.SIGQUIT)
        await asyncio.sleep(0.6)
        assert await keys.verify(new.text)
        with pytest.raises(AccountsUnavailable):
            await keys.verify("evp_unknown")
        server.start()
        await wait_until_it_hears(keys)
        await database.close()


async def wait_until_it_hears(keys: Keys) -> None:
    """A stranger is refused, not put off, once the database answers again."""
    async with asyncio.timeout(10):
        while True:
            try:
                await keys.verify("evp_stranger")
            except InvalidKey:
                return
            except AccountsUnavailable:
                await asyncio.sleep(0.05)


async def test_a_session_ended_by_one_process_is_refused_by_all_while_in_use(postgres):
    url = await postgres.new_database()
    async with AsyncExitStack() as processes:
        here, *others = [
            await processes.enter_async_context(opened_accounts(Settings(postgres_url=url)))
            for _ in range(3)
        ]
        welcome = await here.welcome("ada@example.com")
        for accounts in others:
            assert (await accounts.sessions.verify(welcome.token)).user == welcome.user
        await here.sessions.end(await here.sessions.verify(welcome.token))
        await asyncio.gather(*(until_ended(accounts, welcome.token) for accounts in others))


async def until_ended(accounts: Accounts, token: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await accounts.sessions.verify(token)
            except Unauthenticated:
                return
            await asyncio.sleep(0.01)


async def test_many_who_sign_in_at_once_in_many_processes_get_an_environment_each(postgres):
    url = await postgres.new_database()
    async with AsyncExitStack() as processes:
        many = [
            await processes.enter_async_context(opened_accounts(Settings(postgres_url=url)))
            for _ in range(3)
        ]
        await asyncio.gather(*(a.welcome(f"u{n}@example.com") for n, a in enumerate(many * 3)))
        users = await many[0].users.list()
    assert len({user.environment_id for user in users}) == len(users) == 9
    assert [user.is_superuser for user in users].count(True) == 1


@asynccontextmanager
async def processes(url: str, count: int) -> AsyncIterator[list[Accounts]]:
    """The same accounts, as so many processes have them open."""
    async with AsyncExitStack() as stack:
        opened = [opened_accounts(Settings(postgres_url=url)) for _ in range(count)]
        yield [await stack.enter_async_context(accounts) for accounts in opened]


async def caller_of(accounts: Accounts, email: str) -> Caller:
    """Somebody signed in with a password, as one process sees him."""
    logins, by = accounts.registry.logins, nobody()
    with suppress(AddressTaken):
        await logins.register(email, "MySecurePassword123!", by)
    session = await accounts.sessions.verify(await logins.log_in(email, "MySecurePassword123!", by))
    return Caller(session, session.actor(""))


async def until(accounts: Accounts, caller: Caller, tenants: set[str]) -> None:
    """Return when this process lets a session into these environments and no other."""
    session_id = caller.session.session_id
    async with asyncio.timeout(5):
        while True:
            found = await accounts.sessions._live.find(session_id)
            if found is not None and set(found.principals) == tenants:
                return
            await asyncio.sleep(0.01)


async def test_rights_given_and_taken_by_one_process_are_heard_by_all(postgres):
    async with processes(await postgres.new_database(), 2) as (here, there):
        ada, bob = await caller_of(here, "ada@example.com"), await caller_of(here, "b@example.com")
        env = await here.registry.tenancy.make(ada, "production")
        team = await here.registry.teams.make(ada, "team")
        await until(there, bob, set())
        await here.registry.teams.add(ada, team.id, [bob.user.id])
        await until(there, bob, {env.id})
        await here.registry.teams.remove(ada, team.id, bob.user.id)
        await until(there, bob, set())


async def test_the_control_face_s_accounts_are_the_same_on_postgresql(postgres):
    async with processes(await postgres.new_database(), 1) as (accounts,):
        registry, ada = accounts.registry, await caller_of(accounts, "ada@example.com")
        env = await registry.tenancy.make(ada, "production", use_retention=True, retention_days=3)
        assert (await registry.tenancy.page(ada, Span(search="PROD"))).items == [env]
        made, token = await registry.service_accounts.make(ada, "nightly")
        assert (await accounts.sessions.verify(token)).only == env.id
        await registry.service_accounts.revoke(ada, made.id)
        beside = accounts.pipelines.exchange
        document = Everything(**await registry.exchange.export(ada, beside.records))
        taking = beside.taking(Reach(ada.by, ada), document)
        done = await registry.exchange.take_in(ada, document, taking)
        assert (done.created["users"], done.updated["users"], done.unchanged["users"]) == (0, 0, 1)
        await registry.tenancy.delete(ada, env.id)
        assert (await registry.people.find(ada, ada.user.id)).environment_id is None


async def test_many_who_register_one_address_at_once_make_one_account(postgres):
    async with processes(await postgres.new_database(), 3) as many:
        tries = [
            a.registry.logins.register("ada@example.com", "MySecurePassword123!", nobody())
            for a in many * 3
        ]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(o, AddressTaken) for o in outcomes) == 8
        assert len(await many[0].users.list()) == 1
