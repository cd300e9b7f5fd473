"""Every route, with things that are there, called by everybody: as who is signed in, and with keys.

What belongs to a team is the team's: other members of its environment may not touch it, and nobody
else hears of it.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from service.accounts.erasures import Erasures
from service.accounts.memberships import OWNER
from service.api.guards import (
    IS_HIMSELF,
    IS_IN_IT,
    KEEPS_PIPELINES,
    SEES_PIPELINES,
    WORKS_IN_TEAM,
    Rule,
)
from service.app import create_app
from service.erasure.asking import Forgetting
from service.migrate import Migratable, migrate
from service.pipelines.insight import Insight, Room
from service.pipelines.pushing import Pushing
from service.query.cache import AnswerCache
from service.query.run import Questions
from service.settings import Settings
from service.storage.mark import Mark
from service.stream.jetstream import JetStream, open_jetstream
from tests.api.control import BOB, EVE, Person, an_environment, registered
from tests.api.edge import Anything, Edge, parts_of, running
from tests.api.test_uploads import uploads_in
from tests.api.things import NAMED_IN_BODY, OF_PIPELINES, Things, a_team_of
from tests.house.tables import routes
from tests.servers import Server, a_broker, url_of_broker
from tests.signing import Accounts
from tests.stores import open_duckdb

WHO = ("owner", "member", "service", "neighbour", "stranger", "superuser")
HERE = {"owner", "member", "service", "neighbour"}
"""Who belongs to the environment that things are in."""
OF_A_TEAM = (IS_IN_IT, WORKS_IN_TEAM, SEES_PIPELINES, KEEPS_PIPELINES)
ALL = routes(create_app(parts_of()))
ROUTES = [
    (method, path, rule)
    for method, path, rule in ALL
    if rule.sessions and not path.endswith("/live")
]
FOR_KEYS = [route for route in ALL if route[2].keys and OF_PIPELINES.search(route[1])]
KEYS = ("ingest", "read", "admin", "elsewhere")


def names_something(method: str, path: str) -> bool:
    return "{" in path or f"{method} {path}" in NAMED_IN_BODY


def refusal(method: str, path: str, rule: Rule, who: str) -> int | None:
    """With which status somebody is refused; None for who is let in."""
    if (who == "service" and not rule.services) or (rule.superuser and who != "superuser"):
        return 403
    if who == "superuser":
        return None
    is_named = names_something(method, path)
    if rule is IS_HIMSELF and is_named:
        return 404 if who == "stranger" else 403
    if rule.role and is_named and who == "stranger":
        return 404
    if rule in OF_A_TEAM and is_named and who == "neighbour":
        return 403
    owns = rule.role == OWNER or (rule.scopes in {("admin",), ("sql",)} and rule not in OF_A_TEAM)
    return 403 if owns and who in HERE - {"owner"} else None


def is_as_said(status: int, wanted: int | None, is_his: bool) -> bool:
    """Who is let in to something of his finds it, whatever else is wrong then."""
    if wanted is None:
        return status < 500 and status not in ({401, 403, 404} if is_his else {401, 403})
    return status == wanted


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_broker() as server:
        yield server


@pytest.fixture
async def broker(server: Server) -> AsyncIterator[JetStream]:
    opened = await open_jetstream(url_of_broker(server), 1 << 28, 120)
    yield opened
    await opened.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Migratable]:
    async with open_duckdb(tmp_path) as opened:
        await migrate(opened)
        yield opened


@pytest.fixture
async def house(
    accounts: Accounts, broker: JetStream, store: Migratable, tmp_path: Path
) -> AsyncIterator[Edge]:
    """The application over real parts, for many calls."""
    real = {
        "stream": broker,
        "store": store,
        "questions": Questions(store, broker, AnswerCache(0), Settings()),
        "uploads": uploads_in(tmp_path / "uploads"),
        "forgetting": Forgetting(Erasures(accounts.database), store, broker, Mark()),
        "insight": Insight(accounts.database, broker, Room(1 << 20, 1 << 20)),
        "pushing": Pushing(accounts.database, broker, 1 << 20),
    }
    async with running(**vars(accounts) | real | {"limits": Anything()}) as edge:
        yield edge


@pytest.fixture
async def people(house: Edge, ada: Person) -> Mapping[str, Person]:
    """An owner and a member of one environment, his service account, a member of another team, a
    stranger, a superuser."""
    owner = await registered(house, BOB)
    await an_environment(owner)
    member = await registered(house, EVE)
    await a_team_of(owner, member)
    made = await member.post("/api/users/me/service-account-token")
    service = Person(house, made.json()["access_token"])
    neighbour = await registered(house, "neighbour@example.com")
    await a_team_of(owner, neighbour)
    stranger = await registered(house, "stranger@example.com")
    await an_environment(stranger, "elsewhere")
    return dict(zip(WHO, (owner, member, service, neighbour, stranger, ada), strict=True))


@pytest.fixture
async def env(people: Mapping[str, Person]) -> str:
    """The environment that things are in."""
    return str((await people["owner"].get("/api/users/me")).json()["active_env_id"])


@pytest.fixture
async def things(house: Edge, people: Mapping[str, Person], env: str, broker: JetStream) -> Things:
    return Things(house, env, people["owner"], people["member"], broker)


@pytest.mark.parametrize("who", WHO)
async def test_everybody_who_is_signed_in_may_what_the_rule_says(people, env, things, who):
    wrong = {}
    here = {"x_env_id": env} if who in HERE else {}
    for method, path, rule in sorted(ROUTES, key=lambda route: "logout" in route[1]):
        if "logout" in path and who != "service":
            continue
        where, body = await things.call(method, path)
        answer = await people[who].ask(method, where, body, **here)
        wanted = refusal(method, path, rule, who)
        is_his = bool(rule.role) and names_something(method, path)
        if not is_as_said(answer.status_code, wanted, is_his):
            wrong[f"{method} {path}"] = (rule.about, answer.status_code, answer.text)
    assert wrong == {}


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_may_what_its_scope_says_of_its_environment(
    house: Edge, accounts: Accounts, people, env, things, key
):
    wrong = {}
    here = await its_environment(people["stranger"]) if key == "elsewhere" else env
    scope = "admin" if key == "elsewhere" else key
    text = (await accounts.keys.create("k", [scope], tenant=here)).text
    for method, path, rule in FOR_KEYS:
        where, body = await things.call(method, path)
        headers = {"x-api-key": text}
        answer = await house.client.request(method, where, json=body, headers=headers)
        is_named, may = names_something(method, path), scope in rule.scopes
        wanted = 403 if not may else 404 if key == "elsewhere" and is_named else None
        if not is_as_said(answer.status_code, wanted, is_named):
            wrong[f"{method} {path}"] = (rule.about, answer.status_code, answer.text)
    assert wrong == {}


async def its_environment(person: Person) -> str:
    return str((await person.get("/api/users/me")).json()["active_env_id"])


def test_there_are_routes_of_every_kind_to_call():
    kinds = {(rule.role, rule.superuser, rule.services) for _, _, rule in ROUTES}
    assert len(kinds) == 5
    assert len(ROUTES) > 150
    assert len(FOR_KEYS) > 20
