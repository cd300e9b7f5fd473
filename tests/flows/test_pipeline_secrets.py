"""Secrets of connectors: sealed at rest, opened for workers, sealed anew under another key."""

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from service.accounts.sealing import Sealing
from service.pipelines.catalogue import Catalogue
from service.pipelines.control.tables import connectors
from service.pipelines.control.vault import Vault
from tests.api.control import Person, an_environment, registered
from tests.api.edge import running
from tests.api.pipelines import TARGET, a_team
from tests.signing import SECRET, Accounts, opened_accounts

PASSWORD = "kafka_pass_of_bob"
SOURCE = {
    "source_name": "kafka",
    "source_type": "KAFKA_SOURCE",
    "source_config": {
        "topic": "user-events",
        "bootstrap_servers": "kafka.company.com:9092",
        "security_protocol": "SASL_SSL",
        "sasl_username": "kafka_user",
        "sasl_password": PASSWORD,
    },
}


async def started(bob: Person) -> dict[str, Any]:
    """A pipeline that workers should take."""
    await an_environment(bob)
    wanted = {"name": "p", "team_id": await a_team(bob), **SOURCE, **TARGET}
    made = await bob.post("/api/pipelines/", wanted)
    assert made.status_code == 201, made.text
    assert (await bob.post(f"/api/pipelines/{made.json()['id']}/start")).status_code == 202
    return made.json()


async def sealed(accounts: Accounts) -> str:
    """What the table has of the source."""
    async with accounts.database.reading() as connection:
        rows = (await connection.execute(select(connectors))).mappings().all()
    assert PASSWORD not in msgspec.json.encode([dict(row) for row in rows]).decode()
    [text] = [row["secrets"] for row in rows if row["secrets"]]
    return text


def catalogue(accounts: Accounts, *secrets: bytes) -> Catalogue:
    return Catalogue(accounts.database, Vault(Sealing(secrets[0], secrets[1:])))


async def test_a_secret_is_told_to_workers_alone(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts, running(**vars(accounts)) as edge:
        bob = await registered(edge)
        made = await started(bob)
        await sealed(accounts)
        [one] = await catalogue(accounts, SECRET).live()
        assert one.source.settings == SOURCE["source_config"]
        for path in ("", "/versions", "/worker-config", "/configuration", "?all"):
            base = "/api/pipelines" if path == "?all" else f"/api/pipelines/{made['id']}"
            told = await bob.get(base if path == "?all" else base + path)
            assert (told.status_code, PASSWORD in told.text) == (200, False)
        worker = await bob.get(f"/api/connectors/{made['source_id']}/source-worker-config")
        assert worker.json()["settings"]["sasl_password"] == "********"
        assert PASSWORD not in (await bob.get("/api/v1/audit?limit=100")).text


async def test_secrets_are_sealed_anew_under_another_key(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts, running(**vars(accounts)) as edge:
        await started(await registered(edge))
        before = await sealed(accounts)
        vault = catalogue(accounts, b"a new secret", SECRET).vault
        assert [await vault.seal_again(accounts.database) for _ in range(2)] == [1, 0]
        assert await sealed(accounts) != before
        [one] = await catalogue(accounts, b"a new secret").live()
        assert one.source.settings["sasl_password"] == PASSWORD


async def test_a_pipeline_whose_secrets_do_not_open_is_an_error_and_harms_no_other(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts, running(**vars(accounts)) as edge:
        bob = await registered(edge)
        made = await started(bob)
        assert list(await catalogue(accounts, b"an unknown secret").live()) == []
        told = (await bob.get(f"/api/pipelines/{made['id']}")).json()
        assert (told["state"], "SECRET_KEY" in told["reason"]) == ("error", True)
        assert (await bob.patch(f"/api/pipelines/{made['id']}", {"name": "q"})).status_code == 200


async def test_what_a_worker_notes_gives_way_to_what_people_asked_for_meanwhile(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts, running(**vars(accounts)) as edge:
        bob, told = await registered(edge), catalogue(accounts, SECRET)
        made = await started(bob)
        one = f"/api/pipelines/{made['id']}"
        assert await told.note_state(made["id"], 1, "live")
        assert (await bob.get(one)).json()["state"] == "live"
        assert not await told.note_state(made["id"], 2, "error", "another version")
        await bob.post(f"{one}/pause")
        assert not await told.note_state(made["id"], 1, "live")
        assert (await bob.get(one)).json()["state"] == "paused"
