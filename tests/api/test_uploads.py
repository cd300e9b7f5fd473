"""`/api/v1/uploads`: files in, how far they are, what became of their rows."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.accounts.sealing import Sealing
from service.delivery.uploads.carrying_out import Kept, Uploads
from service.delivery.uploads.intake import Allowed
from service.delivery.uploads.shelf import Shelf
from tests.api.edge import KEY, Edge, running
from tests.delivery.api import Api, serving

CSV = b"id,name\n1,Ada\n2,Bob\n3,bad Cy\n"


def uploads_in(folder: Path, private: bool = True, **allowed: int) -> Uploads:
    told = Allowed(**{"largest": 10_000, "unfinished": 9, "bytes": 30_000, **allowed})
    return Uploads(Shelf(folder, Sealing(b"s" * 32)), told, Kept(2, 9e9), private)


@dataclass
class Audit:
    """Remembers what was noted: who, what, of which upload."""

    noted: list[tuple[str, str, str]] = field(default_factory=list)

    async def note(self, by: Any, action: str, subject: str, tenant: str, **_: Any) -> None:
        self.noted.append((by.name, action, subject))


@asynccontextmanager
async def a_service(folder: Path, **options: Any) -> AsyncIterator[Edge]:
    """One that delivers what is uploaded."""
    audit = options.pop("audit", None) or Audit()
    uploads = uploads_in(folder, **options)
    async with uploads.delivering(), running(uploads=uploads, audit=audit) as edge:
        yield edge


def left_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def a_config(api: Api, **more: Any) -> str:
    told = {"base_url": api.url, "endpoints": {"customers": "/users"}, **more}
    return json.dumps({"mock": {**told, "settings": {"backoff_factor": 0.01}}})


async def upload(edge: Edge, config: str, rows: bytes = CSV, **fields: str) -> httpx2.Response:
    files = {"file": ("customers.csv", rows, "text/csv")}
    parts = {"config": config, **fields}
    return await edge.client.post("/api/v1/uploads", data=parts, files=files, headers=KEY)


async def asked(edge: Edge, path: str) -> Any:
    return (await edge.client.get(f"/api/v1/uploads{path}", headers=KEY)).json()["data"]


async def ended(edge: Edge, name: str) -> Any:
    """The upload, once it has ended."""
    async with asyncio.timeout(60):
        while (found := await asked(edge, f"/{name}"))["state"] in ("waiting", "sending"):
            await asyncio.sleep(0.02)
    return found


async def test_an_upload_is_delivered_and_reported(tmp_path: Path):
    with serving(Api()) as api:
        async with a_service(tmp_path) as edge:
            taken = await upload(edge, a_config(api))
            name = taken.json()["data"]["id"]
            found = await ended(edge, name)
            report = await edge.client.get(f"/api/v1/uploads/{name}/report", headers=KEY)
            rows = await edge.client.get(f"/api/v1/uploads/{name}/report?format=json", headers=KEY)
    assert (taken.status_code, taken.headers["location"]) == (202, f"/api/v1/uploads/{name}")
    assert (found["state"], found["bytesDone"]) == ("done", len(CSV))
    assert found["outcomes"] == {"created": 2, "duplicate": 0, "rejected": 1, "failed": 0}
    assert report.text.splitlines()[0] == '"row","line","outcome","status","reason"'
    assert [row["outcome"] for row in rows.json()["results"]].count("created") == 2


async def test_its_progress_is_pushed_until_it_has_ended(tmp_path: Path):
    with serving(Api()) as api:
        async with a_service(tmp_path) as edge:
            name = (await upload(edge, a_config(api))).json()["data"]["id"]
            async with asyncio.timeout(60):
                path = f"/api/v1/uploads/{name}/events"
                async with edge.client.sse(path, headers=KEY) as source:
                    told = [json.loads(event.data)["data"] async for event in source if event.data]
    assert told[-1]["state"] == "done"
    assert told[-1]["outcomes"]["created"] == 2


async def test_what_stopped_goes_on_when_it_is_resumed(tmp_path: Path):
    with serving(Api(scripted=[(401, {}, b"")] * 5)) as api:
        async with a_service(tmp_path) as edge:
            name = (await upload(edge, a_config(api))).json()["data"]["id"]
            found = await ended(edge, name)
            api.scripted = []
            resumed = await edge.client.post(f"/api/v1/uploads/{name}/resume", headers=KEY)
            again = await ended(edge, name)
    assert (found["state"], found["reason"][:4]) == ("stopped", "401:")
    assert (resumed.status_code, again["state"]) == (202, "done")
    assert api.created == {"1": 1, "2": 1}


async def test_another_process_goes_on_where_one_ended(tmp_path: Path):
    rows = b"id,name\n" + b"".join(b"%d,Ada\n" % n for n in range(200))
    with serving(Api()) as api:
        told = json.loads(a_config(api))
        told["mock"]["settings"] |= {"batch_size": 1, "delay_between_batches": 0.02}
        async with a_service(tmp_path) as edge:
            name = (await upload(edge, json.dumps(told), rows)).json()["data"]["id"]
            async with asyncio.timeout(60):
                while api.requests < 10:
                    await asyncio.sleep(0.01)
        before = len(api.created)
        async with a_service(tmp_path) as edge:
            found = await ended(edge, name)
    assert 10 <= before < 200
    assert (found["state"], found["outcomes"]["created"]) == ("done", 200)
    assert set(api.created.values()) == {1}


async def test_an_upload_that_is_removed_ends_and_leaves_nothing(tmp_path: Path):
    with serving(Api()) as api:
        told = json.loads(a_config(api))
        told["mock"]["settings"] |= {"batch_size": 1, "delay_between_batches": 30}
        async with a_service(tmp_path) as edge:
            name = (await upload(edge, json.dumps(told))).json()["data"]["id"]
            gone = await edge.client.delete(f"/api/v1/uploads/{name}", headers=KEY)
            missing = await edge.client.get(f"/api/v1/uploads/{name}", headers=KEY)
            assert (await asked(edge, ""))["uploads"] == []
            async with asyncio.timeout(60):
                while left_in(tmp_path):
                    await asyncio.sleep(0.05)
    assert (gone.status_code, missing.status_code) == (204, 404)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"config": "{"}, 400, "config, line 1, column 2"),
        ({"config": '{"a": {"base_url": "http://x", "endpoints": {}}}'}, 400, "lacks `customers`"),
        ({"config": '{"a": {"base_url": "${HOME}"}}'}, 400, "variables have no meaning here"),
        ({"rows": b""}, 400, "there is no header"),
        ({"api": "crm"}, 400, "there is no API 'crm'"),
        ({"colour": "red"}, 400, "there is no field 'colour'"),
        ({"rows": b"x" * 20_000}, 413, "at most 10000 bytes"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_kept(changes, status, said, tmp_path: Path):
    with serving(Api()) as api:
        async with a_service(tmp_path) as edge:
            refused = await upload(edge, **{"config": a_config(api), **changes})
    assert (refused.status_code, said in refused.text) == (status, True), refused.text
    assert left_in(tmp_path) == []


async def test_a_body_that_is_no_form_or_breaks_off_is_refused(tmp_path: Path):
    form = {"content-type": "multipart/form-data; boundary=b", **KEY}
    begun = b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\nid\n'
    async with a_service(tmp_path) as edge:
        for body, headers, status in [
            (b"{}", KEY, 415),
            (b"", form, 400),
            (begun, form, 400),
            (begun + b"\r\n--b--", form, 400),
        ]:
            answer = await edge.client.post("/api/v1/uploads", content=body, headers=headers)
            assert answer.status_code == status, answer.text
    assert left_in(tmp_path) == []


async def test_an_environment_has_so_many_uploads_and_so_many_bytes_and_no_more(tmp_path: Path):
    with serving(Api(holds_at=0)) as api:
        async with a_service(tmp_path, unfinished=2, bytes=2 * len(CSV) + 20) as edge:
            taken = [await upload(edge, a_config(api)) for _ in range(3)]
            name = taken[0].json()["data"]["id"]
            await edge.client.delete(f"/api/v1/uploads/{name}", headers=KEY)
            larger = await upload(edge, a_config(api), CSV + b"4,Di\n" * 5)
            again = await upload(edge, a_config(api))
    assert [one.status_code for one in taken] == [202, 202, 409]
    assert "2 uploads of this environment have not ended" in taken[2].text
    assert (larger.status_code, "remove uploads that ended" in larger.text) == (409, True)
    assert again.status_code == 202


async def test_who_uploads_resumes_and_removes_is_noted(tmp_path: Path):
    audit = Audit()
    with serving(Api()) as api:
        async with a_service(tmp_path, audit=audit) as edge:
            name = (await upload(edge, a_config(api))).json()["data"]["id"]
            await ended(edge, name)
            await edge.client.post(f"/api/v1/uploads/{name}/resume", headers=KEY)
            await edge.client.delete(f"/api/v1/uploads/{name}", headers=KEY)
    done = ("upload.taken", "upload.resumed", "upload.removed")
    assert audit.noted == [("evp_all", action, name) for action in done]


async def test_private_hosts_are_not_reached_unless_allowed(tmp_path: Path):
    with serving(Api()) as api:
        async with a_service(tmp_path, private=False) as edge:
            name = (await upload(edge, a_config(api))).json()["data"]["id"]
            found = await ended(edge, name)
    assert (found["state"], "private network" in found["reason"], api.requests) == (
        "stopped",
        True,
        0,
    )


async def test_secrets_are_sealed_on_the_disk(tmp_path: Path):
    told = {"type": "api_key", "api_key": "s3cret-key"}
    with serving(Api()) as api:
        async with a_service(tmp_path) as edge:
            name = (await upload(edge, a_config(api, authentication=told))).json()["data"]["id"]
            await ended(edge, name)
    assert api.asked[0].headers["x-api-key"] == "s3cret-key"
    assert not any(b"s3cret" in path.read_bytes() for path in left_in(tmp_path) if path.is_file())
