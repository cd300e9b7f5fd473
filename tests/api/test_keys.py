"""Keys as their environment's administrators see them, over the real accounts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.accounts.environments import Environments
from service.accounts.keys import Keys
from service.database import open_database, upgrade
from service.settings import Settings
from tests.api.edge import Edge, an_event, running

PATH = "/api/auth/api-key"


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    database = open_database(Settings(data_dir=tmp_path))
    await upgrade(database)
    environments, keys = Environments(database), Keys(database)
    await environments.ensure_default(public_metrics=False)
    async with running(keys=keys, database=database) as edge:
        yield edge
    await keys.close()
    await database.close()


async def a_key(edge: Edge, *scopes: str) -> tuple[dict[str, str], str]:
    """The header of a new key, and its id."""
    made = await edge.parts.keys.create("Production", scopes)
    return {"x-api-key": made.text}, made.key.id


async def test_an_administrator_lists_the_keys_but_never_their_text(edge: Edge):
    admin, key_id = await a_key(edge, "admin")
    answer = await edge.client.get(PATH, headers=admin)
    (key,) = answer.json()["data"]["keys"]
    assert (key["keyId"], key["name"], key["scopes"]) == (key_id, "Production", ["admin"])
    assert key["revokedAt"] is None
    assert key["createdAt"].endswith("Z")
    assert admin["x-api-key"] not in answer.text


async def test_a_revoked_key_is_refused_at_once(edge: Edge):
    admin, _ = await a_key(edge, "admin")
    sender, key_id = await a_key(edge, "ingest")
    statuses = []
    for _ in range(2):
        answer = await edge.client.post("/api/v1/events", json=an_event(), headers=sender)
        statuses.append(answer.status_code)
        await edge.client.delete(f"{PATH}/{key_id}", headers=admin)
    assert statuses == [202, 401]


async def test_revoking_says_when_and_may_be_repeated(edge: Edge):
    admin, _ = await a_key(edge, "admin")
    _, key_id = await a_key(edge, "ingest")
    first, second = [
        (await edge.client.delete(f"{PATH}/{key_id}", headers=admin)).json()["data"]
        for _ in range(2)
    ]
    assert first["revokedAt"]
    assert second == first


async def test_an_unknown_key_cannot_be_revoked(edge: Edge):
    admin, _ = await a_key(edge, "admin")
    answer = await edge.client.delete(f"{PATH}/key_unknown", headers=admin)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_whoever_is_no_administrator_may_not(edge: Edge, method: str):
    sender, key_id = await a_key(edge, "ingest", "read")
    path = PATH if method == "GET" else f"{PATH}/{key_id}"
    answer = await edge.client.request(method, path, headers=sender)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
