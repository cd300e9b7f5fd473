"""`GET /api/v1/audit`: who may see which changes."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from tests.api.edge import Edge

ADA, BOB = "ada@example.com", "bob@example.com"
PATH = "/api/v1/audit"


@pytest.fixture
async def edge(house: Edge) -> Edge:
    """With real accounts behind it."""
    return house


class Away:
    """A database that does not answer."""

    def reading(self) -> None:
        raise OperationalError(None, None, OSError("the disk is gone"))


async def entries(edge: Edge, headers: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    answer = await edge.client.get(PATH + query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["entries"]


async def make_key(edge: Edge, headers: dict[str, str], **wanted: Any) -> httpx2.Response:
    wanted = {"name": "Production", **wanted}
    return await edge.client.post("/api/auth/api-key", json=wanted, headers=headers)


async def test_a_change_over_http_tells_who_what_when_and_from_where(edge, accounts):
    ada = await accounts.signed_in(ADA)
    made = (await make_key(edge, ada)).json()["data"]
    (entry,) = await entries(edge, ada, "?action=key.")
    user = await accounts.users.find(ADA)
    assert entry["actor"] == {"kind": "user", "id": user.id, "name": ADA}
    assert (entry["address"], entry["subject"]) == ("127.0.0.1", made["keyId"])
    assert entry["environmentId"] == "env_default"
    assert entry["at"].endswith("Z")
    assert entry["details"]["expiresAt"] is None


async def test_no_secret_is_in_the_log(edge, accounts):
    ada = await accounts.signed_in(ADA)
    key = (await make_key(edge, ada)).json()["data"]["apiKey"]
    await edge.client.post("/api/auth/request-code", json={"email": BOB})
    await edge.client.post("/api/auth/logout", headers=await accounts.signed_in(ADA))
    told = repr(await entries(edge, ada, "?all=true"))
    assert "session.ended" in told
    for secret in (key, accounts.letters.code, ada["authorization"].split()[1]):
        assert secret not in told


async def test_an_owner_sees_his_environment_and_a_key_with_admin_does_too(edge, accounts):
    ada, bob = await accounts.signed_in(ADA), await accounts.signed_in(BOB)
    await make_key(edge, ada)
    made = (await make_key(edge, bob, scopes=["admin"])).json()["data"]
    admin = {"x-api-key": made["apiKey"]}
    seen = await entries(edge, bob)
    assert await entries(edge, admin) == seen
    assert {entry["environmentId"] for entry in seen} == {
        (await accounts.users.find(BOB)).environment_id
    }


async def test_a_key_that_ends_another_is_the_actor(edge, accounts):
    admin = await accounts.keys.create("admin", ["admin"])
    other = await accounts.keys.create("other", ["read"])
    headers = {"x-api-key": admin.text}
    await edge.client.delete(f"/api/auth/api-key/{other.key.id}", headers=headers)
    newest = (await entries(edge, headers))[0]
    assert newest["action"] == "key.revoked"
    assert newest["actor"] == {"kind": "key", "id": admin.key.id, "name": "admin"}


async def test_a_superuser_may_see_everything_and_nobody_else(edge, accounts):
    ada, bob = await accounts.signed_in(ADA), await accounts.signed_in(BOB)
    await edge.client.post("/api/auth/request-code", json={"email": BOB})
    everything = await entries(edge, ada, "?all=true")
    assert (everything[0]["action"], everything[0]["subject"]) == ("code.asked", "b…@example.com")
    assert everything[0]["environmentId"] is None
    refused = await edge.client.get(f"{PATH}?all=true", headers=bob)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")


async def mine(edge: Edge, headers: dict[str, str]) -> list[tuple[str, str | None]]:
    """What one is told of oneself: actions and environments."""
    told = await entries(edge, headers, "/mine?limit=500")
    return [(entry["action"], entry["environmentId"]) for entry in told]


async def test_everybody_reads_what_he_did_and_what_was_done_to_his_account(edge, accounts):
    ada, bob = await accounts.signed_in(ADA), await accounts.signed_in(BOB)
    him = await accounts.users.find(BOB)
    await edge.client.patch(f"/api/users/{him.id}", json={"name": "Bob"}, headers=ada)
    await make_key(edge, bob)
    here = him.environment_id
    assert await mine(edge, bob) == [
        ("key.made", here), ("user.changed", None), ("session.begun", here), ("user.made", here)
    ]  # fmt: skip
    assert {entry["subject"] for entry in await entries(edge, ada, "/mine?action=user.")} == {
        ADA,
        him.id,
    }


async def test_what_was_done_to_who_had_the_address_before_is_not_told(edge, accounts):
    await accounts.signed_in(ADA)
    bob = await accounts.signed_in(BOB)
    gone = await accounts.users.find(BOB)
    await edge.client.delete(f"/api/envs/{gone.environment_id}", headers=bob)
    deleted = await edge.client.delete(f"/api/users/{gone.id}", headers=bob)
    assert deleted.status_code == 204, deleted.text
    again = await mine(edge, await accounts.signed_in(BOB))
    assert [action for action, _ in again] == ["session.begun", "user.made"]


async def test_the_cursor_leads_through_all_pages(edge, accounts):
    ada = await accounts.signed_in(ADA)
    for n in range(5):
        await make_key(edge, ada, name=f"k{n}")
    names, query = [], "?action=key.made&limit=2"
    while query:
        data = (await edge.client.get(PATH + query, headers=ada)).json()["data"]
        names += [entry["details"]["name"] for entry in data["entries"]]
        query = data["nextCursor"] and f"?action=key.made&limit=2&cursor={data['nextCursor']}"
    assert names == ["k4", "k3", "k2", "k1", "k0"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("since=yesterday", "since"),
        ("until=2024-13-01", "until"),
        ("cursor=aud_none", "cursor"),
        ("all=yes", "all"),
        ("who=ada", "who"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_field(edge, accounts, query, field):
    answer = await edge.client.get(f"{PATH}?{query}", headers=await accounts.signed_in(ADA))
    error = answer.json()["error"]
    assert (answer.status_code, error["details"]) == (400, {"field": field})


async def test_a_database_that_does_not_answer_is_503(edge, accounts):
    ada = await accounts.signed_in(ADA)
    accounts.audit._database = Away()
    answer = await edge.client.get(PATH, headers=ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ACCOUNTS_UNAVAILABLE")
