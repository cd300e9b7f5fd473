"""Keys over HTTP after they were made: shown, changed, rotated, by whom that is for."""

from typing import Any

import httpx2
import pytest

from tests.api.edge import Edge, an_event
from tests.signing import Accounts

ADA, BOB = "ada@example.com", "bob@example.com"
PATH = "/api/auth/api-key"


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
    answer = await call(edge, "POST", headers, body={"name": "collector", **wanted})
    return answer.json()["data"]


async def statuses(edge: Edge, *made: dict[str, Any]) -> list[int]:
    """What sending an event with each of these keys is answered."""
    return [
        (
            await edge.client.post(
                "/api/v1/events", json=an_event(), headers={"x-api-key": each["apiKey"]}
            )
        ).status_code
        for each in made
    ]


@pytest.mark.parametrize(("body", "after"), [(None, [202, 202]), ({"graceSeconds": 0}, [401, 202])])
async def test_two_keys_are_good_after_a_rotation_while_the_grace_lasts(edge, ada, body, after):
    former = await make(edge, ada, scopes=["ingest"], tier="pro")
    answer = await call(edge, "POST", ada, f"/{former['keyId']}/rotate", body)
    new = answer.json()["data"]
    assert (new["replaces"], new["name"]) == (former["keyId"], "collector")
    assert (new["scopes"], new["tier"]) == (["ingest"], "pro")
    assert await statuses(edge, former, new) == after
    shown = (await call(edge, "GET", ada, f"/{former['keyId']}")).json()["data"]
    assert shown["replacedBy"] == new["keyId"]


async def test_a_key_that_signs_gets_a_new_secret(edge, ada):
    former = await make(edge, ada, signs=True)
    new = (await call(edge, "POST", ada, f"/{former['keyId']}/rotate")).json()["data"]
    assert new["signs"] is True
    assert new["signingSecret"].startswith("evs_")
    assert new["signingSecret"] != former["signingSecret"]


async def test_what_is_not_named_in_a_change_stays(edge, ada):
    made = await make(edge, ada)
    path = f"/{made['keyId']}"
    await call(edge, "PATCH", ada, path, {"name": "sender", "expiresAt": "2999-01-01T00:00:00Z"})
    changed = (await call(edge, "PATCH", ada, path, {"scopes": ["read"]})).json()["data"]
    assert (changed["name"], changed["scopes"]) == ("sender", ["read"])
    assert changed["expiresAt"] == "2999-01-01T00:00:00.000Z"
    assert await statuses(edge, made) == [403]
    changed = (await call(edge, "PATCH", ada, path, {"expiresAt": None})).json()["data"]
    assert changed["expiresAt"] is None


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
async def test_another_tenants_key_is_not_there(edge, ada, accounts, method):
    made = await make(edge, ada)
    path = f"/{made['keyId']}" + ("/rotate" if method == "POST" else "")
    answer = await call(edge, method, await accounts.signed_in(BOB), path, {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert await statuses(edge, made) == [202]


async def test_a_key_with_admin_makes_no_keys_in_any_way(edge, ada):
    admin = await make(edge, ada, scopes=["admin"])
    headers, path = {"x-api-key": admin["apiKey"]}, f"/{admin['keyId']}"
    refused = [
        await call(edge, "POST", headers, f"{path}/rotate"),
        await call(edge, "PATCH", headers, path, {"scopes": ["ingest", "read", "admin"]}),
    ]
    assert [answer.status_code for answer in refused] == [401, 401]
    assert (await call(edge, "GET", headers, path)).status_code == 200


async def test_what_was_rotated_or_revoked_is_409(edge, ada):
    made = await make(edge, ada)
    path = f"/{made['keyId']}"
    new = (await call(edge, "POST", ada, f"{path}/rotate")).json()["data"]
    await call(edge, "DELETE", ada, f"/{new['keyId']}")
    answers = [
        await call(edge, "POST", ada, f"{path}/rotate"),
        await call(edge, "POST", ada, f"/{new['keyId']}/rotate"),
        await call(edge, "PATCH", ada, f"/{new['keyId']}", {"name": "sender"}),
    ]
    said = {(answer.status_code, answer.json()["error"]["code"]) for answer in answers}
    assert said == {(409, "CONFLICT")}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"tier": "golden"}, "tier"),
        ({"tier": None}, "tier"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"secret": "mine"}, "secret"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_with_its_field(edge, ada, changes, field):
    made = await make(edge, ada)
    answer = await call(edge, "PATCH", ada, f"/{made['keyId']}", changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["details"]) == (400, {"field": field})


async def test_a_tier_beyond_the_environments_is_forbidden(edge, accounts):
    await accounts.signed_in(ADA)
    bob = await accounts.signed_in(BOB)
    made = await make(edge, bob)
    answer = await call(edge, "PATCH", bob, f"/{made['keyId']}", {"tier": "pro"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
