"""`/api/v1/signing-tokens`: made, listed, changed, rotated and revoked over HTTP."""

from typing import Any

import httpx2
import pytest

from service.errors import Forbidden
from tests.api.edge import Edge
from tests.signing import Accounts

ADA, BOB = "ada@example.com", "bob@example.com"
PATH = "/api/v1/signing-tokens"
PAIR = {"accountId": "acc1", "workspaceId": "ws1"}


@pytest.fixture
async def edge(house: Edge) -> Edge:
    """With real accounts behind it."""
    return house


@pytest.fixture
async def ada(accounts: Accounts) -> dict[str, str]:
    return await accounts.signed_in(ADA)


async def call(
    edge: Edge, method: str, headers: dict[str, str], path: str = "", body: Any = None
) -> httpx2.Response:
    return await edge.client.request(method, PATH + path, headers=headers, json=body)


async def make(edge: Edge, headers: dict[str, str], **wanted: Any) -> dict[str, Any]:
    answer = await call(edge, "POST", headers, body={**PAIR, **wanted})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


async def test_a_token_is_shown_once_and_then_listed_without_its_text(edge, ada, accounts):
    made = await make(edge, ada, scheme="hkdf", requiresNonce=True)
    assert (made["name"], made["scheme"], made["requiresNonce"]) == ("acc1/ws1", "hkdf", True)
    assert (await accounts.signing_tokens.find(made["token"])).id == made["tokenId"]
    for path in ("", f"/{made['tokenId']}"):
        answer = await call(edge, "GET", ada, path)
        assert made["prefix"] in answer.text
        assert made["token"] not in answer.text


async def test_a_revoked_token_is_over_and_revoking_it_again_changes_nothing(edge, ada, accounts):
    made = await make(edge, ada)
    first, second = [
        (await call(edge, "DELETE", ada, f"/{made['tokenId']}")).json()["data"] for _ in range(2)
    ]
    assert first["revokedAt"]
    assert first == second
    with pytest.raises(Forbidden):
        await accounts.signing_tokens.find(made["token"])


@pytest.mark.parametrize("body", [None, {"graceSeconds": 3600}])
async def test_a_rotated_token_goes_on_beside_its_successor(edge, ada, accounts, body):
    former = await make(edge, ada)
    new = (await call(edge, "POST", ada, f"/{former['tokenId']}/rotate", body)).json()["data"]
    assert (await accounts.signing_tokens.find(former["token"])).successor_id == new["tokenId"]
    assert await accounts.signing_tokens.find(new["token"])
    shown = (await call(edge, "GET", ada, f"/{former['tokenId']}")).json()["data"]
    assert (shown["replacedBy"], shown["revokedAt"]) == (new["tokenId"], None)
    assert shown["expiresAt"]
    again = await call(edge, "POST", ada, f"/{former['tokenId']}/rotate")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")


async def test_what_is_not_named_in_a_change_stays(edge, ada):
    made = await make(edge, ada, scheme="hkdf")
    path = f"/{made['tokenId']}"
    await call(edge, "PATCH", ada, path, {"name": "casino", "requiresNonce": True})
    changed = (await call(edge, "PATCH", ada, path, {"scheme": None})).json()["data"]
    told = (changed["name"], changed["requiresNonce"], changed["scheme"])
    assert told == ("casino", True, None)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
async def test_another_tenants_token_is_not_there(edge, ada, accounts, method):
    made = await make(edge, ada)
    path = f"/{made['tokenId']}" + ("/rotate" if method == "POST" else "")
    answer = await call(edge, method, await accounts.signed_in(BOB), path, {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_key_with_admin_keeps_tokens_but_makes_none(edge, ada, accounts):
    made = await make(edge, ada)
    admin = {"x-api-key": (await accounts.keys.create("admin", ["admin"])).text}
    path = f"/{made['tokenId']}"
    refused = [
        await call(edge, "POST", admin, body=PAIR),
        await call(edge, "POST", admin, f"{path}/rotate"),
        await call(edge, "PATCH", admin, path, {}),
    ]
    assert [answer.status_code for answer in refused] == [401, 401, 401]
    assert (await call(edge, "DELETE", admin, path)).status_code == 200


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"accountId": ""}, "accountId"),
        ({"scheme": "rot13"}, "scheme"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"secret": "mine"}, "secret"),
        ({"requiresNonce": "yes"}, "requiresNonce"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_with_its_field(edge, ada, wanted, field):
    answer = await call(edge, "POST", ada, body={**PAIR, **wanted})
    error = answer.json()["error"]
    assert (answer.status_code, error["details"]) == (400, {"field": field})


@pytest.mark.parametrize("grace", [-1, 31 * 24 * 3600, "long", 1.5])
async def test_a_grace_that_makes_no_sense_is_refused(edge, ada, grace):
    made = await make(edge, ada)
    path = f"/{made['tokenId']}/rotate"
    answer = await call(edge, "POST", ada, path, {"graceSeconds": grace})
    assert answer.json()["error"]["details"] == {"field": "graceSeconds"}


async def test_every_change_is_in_the_audit_log_with_its_caller(edge, ada):
    made = await make(edge, ada)
    await call(edge, "PATCH", ada, f"/{made['tokenId']}", {"requiresNonce": True})
    await call(edge, "POST", ada, f"/{made['tokenId']}/rotate")
    answer = await edge.client.get("/api/v1/audit?action=signing_token.", headers=ada)
    entries = answer.json()["data"]["entries"]
    assert [entry["action"].split(".")[1] for entry in entries] == ["rotated", "changed", "made"]
    assert {entry["actor"]["name"] for entry in entries} == {ADA}
    assert entries[1]["details"] == {"requiresNonce": True}
    assert made["token"] not in answer.text
