"""Who may call what: every route declares a rule, and keeps to it whoever calls."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from litestar import Litestar, get
from structlog.testing import capture_logs

from service.accounts.principals import SCOPES
from service.api.guards import Rule
from service.app import create_app
from tests.api.edge import (
    Anything,
    Edge,
    Environments,
    Exports,
    Questions,
    Stream,
    an_event,
    parts_of,
    running,
)
from tests.house.tables import routes
from tests.signing import Accounts

ADA, BOB = "ada@example.com", "bob@example.com"
TOKEN_OF_THE_OPERATOR = "operator"


def undeclared(app: Litestar) -> list[str]:
    return [f"{m} {path}" for m, path, rule in routes(app) if not isinstance(rule, Rule)]


APP = create_app(parts_of(prometheus_enabled=True))
RULES: dict[tuple[str, str], Rule] = {(m, path): rule for m, path, rule in routes(APP)}


def test_every_route_declares_who_may_call_it():
    assert undeclared(APP) == []
    assert len(RULES) > 25


def test_a_route_that_declares_nothing_would_be_found():
    @get("/somewhere")
    async def handler() -> None: ...

    assert undeclared(Litestar([handler], openapi_config=None)) == ["GET /somewhere"]


@pytest.mark.parametrize(("method", "path"), RULES)
def test_the_document_asks_for_what_the_rule_asks(method: str, path: str):
    if method == "HEAD" or path == "/" or path.startswith(("/-/", "/dashboard/")):
        return
    document = APP.openapi_schema.to_schema()
    rule = RULES[method, path]
    said = document["paths"][path.replace(":str}", "}")][method.lower()].get("security", [])
    wanted = [name for name in said if name != {}]
    assert [next(iter(way)) for way in wanted] == [
        name
        for name, does in (
            ("apiKey", rule.keys),
            ("session", rule.sessions),
            ("partner", rule.partners),
        )
        if does
    ]
    assert ({} in said) == rule.public


def refusals(document: dict[str, Any]) -> Iterator[tuple[str, int, Any]]:
    """Route, status and schema of everything that is answered with 4xx."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                media = answer.get("content", {}).get("application/json")
                if media and 400 <= int(status) < 500:
                    yield f"{method.upper()} {path}", int(status), media["schema"]


def test_who_asks_too_often_is_refused_in_the_form_of_the_other_refusals():
    forms: dict[str, dict[int, Any]] = {}
    for route, status, schema in refusals(APP.openapi_schema.to_schema()):
        forms.setdefault(route, {})[status] = schema
    often = {route: form for route, form in forms.items() if 429 in form}
    assert len(often) > 50
    assert [route for route, form in often.items() if form[429] != form.get(401, form[429])] == []


class Recorded(Questions):
    """Remembers whose answers were asked for."""

    def __init__(self, tenants: set[str]) -> None:
        super().__init__()
        self._tenants = tenants

    async def metrics(self, tenant: str, *asked: Any) -> Any:
        self._tenants.add(tenant)
        return await super().metrics(tenant, *asked)

    async def stats(self, tenant: str) -> Any:
        self._tenants.add(tenant)
        return await super().stats(tenant)

    numbers = query = sql = journey = metrics


class RecordedStream(Stream):
    def __init__(self, tenants: set[str]) -> None:
        super().__init__()
        self._tenants = tenants

    async def publish(self, tenant: str, *rest: Any) -> Any:
        self._tenants.add(tenant)
        return await super().publish(tenant, *rest)


@pytest.fixture
def tenants() -> set[str]:
    """Whose events and answers were touched."""
    return set()


@pytest.fixture(params=["private", "public"])
async def edge(
    request: pytest.FixtureRequest, accounts: Accounts, tenants: set[str]
) -> AsyncIterator[Edge]:
    parts = vars(accounts) | {
        "limits": Anything(),
        "environments": Environments("env_default" if request.param == "public" else None),
        "questions": Recorded(tenants),
        "exports": Exports(tenants=tenants),
        "stream": RecordedStream(tenants),
        "prometheus_enabled": True,
    }
    with capture_logs():
        async with running(**parts) as edge:
            yield edge


async def key_header(accounts: Accounts, tenant: str, *scopes: str) -> dict[str, str]:
    return {"x-api-key": (await accounts.keys.create("k", scopes, tenant=tenant)).text}


async def token_header(accounts: Accounts, email: str) -> dict[str, str]:
    """Of a session of its own: a call may end it."""
    return {"authorization": f"Bearer {await accounts.token(email)}"}


async def call(
    edge: Edge, method: str, path: str, headers: dict[str, str], body: Any = None
) -> httpx2.Response:
    path = re.sub(r"{\w+:str}", "x", path)
    if "analytics/numbers" in path:
        path += "?name=x"
    request = edge.client.build_request(method, path, headers=headers, json=body or {})
    answer = await edge.client.send(request, stream=True)
    if answer.headers.get("content-type") != "text/event-stream":
        await answer.aread()
    await answer.aclose()
    return answer


def lets_in(rule: Rule, who: str, is_public: bool) -> bool:
    """What the rule says of somebody: `nobody`, a scope that his key has, `user`, `operator`."""
    if not (rule.keys or rule.sessions or rule.operator or rule.partners):
        return True
    return {
        "nobody": rule.public and is_public,
        "user": rule.sessions,
        "operator": rule.operator,
    }.get(who, rule.keys and who in rule.scopes)


@pytest.mark.parametrize("who", ["nobody", "ingest", "read", "admin", "user", "operator"])
async def test_every_route_lets_in_whom_its_rule_names_and_nobody_else(
    edge: Edge, accounts: Accounts, who: str
):
    await accounts.token(ADA)
    is_public = edge.parts.environments.public is not None
    wrong = {}
    key = await key_header(accounts, "env_default", who) if who in SCOPES else None
    for (method, path), rule in RULES.items():
        headers = key or await headers_of(accounts, who)
        answer = await call(edge, method, path, headers)
        if (answer.status_code not in {401, 403}) != lets_in(rule, who, is_public):
            wrong[f"{method} {path}"] = (rule.about, answer.status_code, answer.text)
    assert wrong == {}


async def headers_of(accounts: Accounts, who: str) -> dict[str, str]:
    if who == "nobody":
        return {}
    if who == "user":
        return await token_header(accounts, ADA)
    if who == "operator":
        return {"authorization": f"Bearer {TOKEN_OF_THE_OPERATOR}"}
    return await key_header(accounts, "env_default", who)


@pytest.mark.parametrize(
    ("who", "status"), [("nobody", 401), ("ingest", 403), ("user", 401), ("operator", 401)]
)
async def test_a_refusal_says_why_in_its_status(edge: Edge, accounts: Accounts, who, status):
    """401 for a credential that will not do here at all, 403 for one without the right."""
    await accounts.token(ADA)
    path = "/api/auth/api-key" if who == "ingest" else "/api/v1/events"
    method = "GET" if who == "ingest" else "POST"
    answer = await call(edge, method, path, await headers_of(accounts, who))
    assert answer.status_code == status


@pytest.mark.parametrize("way", ["key", "token"])
async def test_another_tenant_touches_his_own_environment_on_every_route(
    edge: Edge, accounts: Accounts, tenants: set[str], way: str
):
    await accounts.token(ADA)
    await accounts.token(BOB)
    his = (await accounts.users.find(BOB)).environment_id
    key = await key_header(accounts, his, "ingest", "read", "admin")
    for method, path in RULES:
        headers = key if way == "key" else await token_header(accounts, BOB)
        body = {"events": [an_event()]} if path.endswith("batch") else an_event()
        await call(edge, method, path, headers, body)
    assert tenants == {his}


@pytest.mark.parametrize("way", ["key", "token"])
async def test_another_tenant_sees_no_key_and_no_receipt_of_ours(
    edge: Edge, accounts: Accounts, way: str
):
    await accounts.token(ADA)
    ours = await key_header(accounts, "env_default", "ingest")
    key_id = (await accounts.keys.list())[0].id
    sent = await edge.client.post("/api/v1/events", json=an_event(), headers=ours)
    receipt = sent.json()["data"]["receipt"]
    await accounts.token(BOB)
    his = (await accounts.users.find(BOB)).environment_id
    admin = await key_header(accounts, his, "admin", "read")
    headers = admin if way == "key" else await token_header(accounts, BOB)
    client = edge.client
    listed = (await client.get("/api/auth/api-key", headers=headers)).json()["data"]["keys"]
    assert key_id not in {key["keyId"] for key in listed}
    gone = await client.delete(f"/api/auth/api-key/{key_id}", headers=headers)
    seen = await client.get(f"/api/v1/receipts/{receipt}", headers=headers)
    assert (gone.status_code, seen.status_code) == (404, 404)
    assert (await client.post("/api/v1/events", json=an_event(), headers=ours)).status_code == 202
