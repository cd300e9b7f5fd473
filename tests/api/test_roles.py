"""Every route, with things that are there, called by everybody who is signed in."""

import re
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from service.accounts.memberships import OWNER
from service.api.guards import IS_HIMSELF, Rule
from service.app import create_app
from tests.api.control import BOB, EVE, Person, an_environment, registered
from tests.api.edge import Anything, Edge, parts_of, running
from tests.house.tables import routes
from tests.signing import Accounts

WHO = ("owner", "member", "service", "stranger", "superuser")
OF_PIPELINES = re.compile(r"/(pipelines|connectors|subscriptions|datamodels|sources)(/|$)")
"""Whose rights go by their teams: test_pipelines.py and test_subscriptions.py call them."""
ROUTES = [
    (method, path, rule)
    for method, path, rule in routes(create_app(parts_of()))
    if rule.sessions and not path.endswith("/live") and not OF_PIPELINES.search(path)
]
BODY = {"name": "x", "role": "member", "members": [], "email": "x@example.com"}
"""Enough for every route that names something; the others may find it wrong."""


def refusal(rule: Rule, path: str, who: str) -> int | None:
    """With which status somebody is refused; None for who is let in."""
    names_something = "{" in path
    if (who == "service" and not rule.services) or (rule.superuser and who != "superuser"):
        return 403
    if who == "superuser":
        return None
    if rule is IS_HIMSELF and names_something:
        return 404 if who == "stranger" else 403
    if rule.role and names_something and who == "stranger":
        return 404
    owns = rule.role == OWNER or rule.scopes in {("admin",), ("sql",)}
    return 403 if owns and who in {"member", "service"} else None


def is_as_said(status: int, wanted: int | None, rule: Rule, path: str) -> bool:
    """Who is let in to something of his finds it, whatever else is wrong then."""
    if wanted is None:
        return status not in ({401, 403, 404} if rule.role and "{" in path else {401, 403})
    return status == wanted


@pytest.fixture
async def house(accounts: Accounts) -> AsyncIterator[Edge]:
    """The application over real accounts, for many calls."""
    async with running(**vars(accounts) | {"limits": Anything()}) as edge:
        yield edge


@pytest.fixture
async def people(house: Edge, ada: Person) -> Mapping[str, Person]:
    """An owner and a member of one environment, his service account, a stranger, a superuser."""
    owner = await registered(house, BOB)
    await an_environment(owner)
    member = await registered(house, EVE)
    await a_team_of(owner, member)
    stranger = await registered(house, "stranger@example.com")
    await an_environment(stranger, "elsewhere")
    made = await member.post("/api/users/me/service-account-token")
    service = Person(house, made.json()["access_token"])
    return dict(zip(WHO, (owner, member, service, stranger, ada), strict=True))


async def a_team_of(owner: Person, *people: Person, **headers: str) -> str:
    made = await owner.post("/api/teams", {"name": f"team {uuid.uuid4()}"}, **headers)
    ids = {"members": [person.id for person in people]}
    await owner.post(f"/api/teams/{made.json()['id']}/members/bulk", ids)
    return made.json()["id"]


class Things:
    """What paths name, made anew for each call, for many calls end it."""

    def __init__(self, house: Edge, env_id: str, owner: Person, member: Person) -> None:
        self._house, self._owner, self._member = house, owner, member
        self._env_id, self._made = env_id, 0

    async def path(self, path: str) -> str:
        team_id = ""
        if "{" in path:
            team_id = await a_team_of(self._owner, self._member, x_env_id=self._env_id)
        named: dict[str, Any] = {"team_id": team_id, "env_id": self._env_id}
        if "{user_id" in path and "customers" not in path:
            named["user_id"] = await self._somebody(team_id)
        if "{invitation_id" in path:
            named["invitation_id"] = await self._invitation()
        return re.sub(r"{(\w+):str}", lambda found: named.get(found[1], "x"), path)

    async def _somebody(self, team_id: str) -> str:
        self._made += 1
        somebody = await registered(self._house, f"somebody{self._made}@example.com")
        ids = {"members": [somebody.id]}
        await self._owner.post(f"/api/teams/{team_id}/members/bulk", ids)
        return somebody.id

    async def _invitation(self) -> str:
        self._made += 1
        body = {"email": f"guest{self._made}@example.com"}
        sent = await self._owner.post("/api/invitations", body, x_env_id=self._env_id)
        return sent.json()["id"]


@pytest.mark.parametrize("who", WHO)
async def test_everybody_who_is_signed_in_may_what_the_rule_says(house, people, who):
    env = (await people["owner"].get("/api/users/me")).json()["active_env_id"]
    caller, things = people[who], Things(house, env, people["owner"], people["member"])
    wrong = {}
    for method, path, rule in sorted(ROUTES, key=lambda route: "logout" in route[1]):
        if "logout" in path and who != "service":
            continue
        here = {"x_env_id": env} if who in {"owner", "member", "service"} else {}
        answer = await caller.ask(method, await things.path(path), BODY, **here)
        if not is_as_said(answer.status_code, refusal(rule, path, who), rule, path):
            wrong[f"{method} {path}"] = (rule.about, answer.status_code, answer.text)
    assert wrong == {}


def test_there_are_routes_of_every_kind_to_call():
    kinds = {(rule.role, rule.superuser, rule.services) for _, _, rule in ROUTES}
    assert len(kinds) == 5
    assert len(ROUTES) > 60
