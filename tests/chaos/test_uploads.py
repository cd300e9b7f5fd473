"""Uploads in a service that is killed: nothing half done, each row once, the whole report."""

import json
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.delivery.api import Api, serving
from tests.flows.test_pipelines_up import wait_for
from tests.running import API_KEY, RunningService

ROWS = 300
FIRST = 100
KEY = {"x-api-key": API_KEY}
SETTINGS = {"timeout": 5, "backoff_factor": 0.01, "max_concurrent_requests": 4}


def a_service(new_service: Any) -> RunningService:
    service: RunningService = new_service(HEADRACE_ALLOW_PRIVATE_TARGETS="true")
    return service.start()


def upload(service: RunningService, api: Api) -> str:
    """The id of an upload that was taken."""
    told = {"base_url": api.url, "endpoints": {"customers": "/users"}, "settings": SETTINGS}
    rows = b"id,name\n" + b"".join(b"%d,Ada\n" % n for n in range(ROWS)) + b"x,y,z\n"
    url = f"{service.base_url}/api/v1/uploads"
    files = {"file": ("customers.csv", rows, "text/csv")}
    answer = httpx2.post(url, data={"config": json.dumps(told)}, files=files, headers=KEY)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["id"])


def told(service: RunningService, name: str) -> Any:
    return service.get(f"/api/v1/uploads/{name}").json()["data"]


def followed(service: RunningService, name: str) -> list[Any]:
    """What is pushed of an upload, to its end."""
    url = f"{service.base_url}/api/v1/uploads/{name}/events"
    with httpx2.stream("GET", url, headers=KEY, timeout=60) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: "))["data"] for line in lines]


@pytest.mark.chaos
def test_a_delivery_goes_on_after_a_kill_and_progress_and_report_tell_of_every_row(
    new_service: Any,
):
    service = a_service(new_service)
    with serving(Api(holds_at=FIRST)) as api:
        name = upload(service, api)
        wait_for(lambda: len(api.created) >= FIRST)
        service.kill()
        api.holds_at = None
        service.start()
        pushed = followed(service, name)
    assert api.created == Counter({str(n): 1 for n in range(ROWS)})
    assert (pushed[-1]["state"], pushed[-1]["bytesDone"]) == ("done", pushed[-1]["bytes"])
    expected = {"created": ROWS, "duplicate": 0, "rejected": 1, "failed": 0}
    assert pushed[-1]["outcomes"] == expected
    done = [one["outcomes"]["created"] for one in pushed if one["outcomes"]]
    assert done == sorted(done)
    report = service.get(f"/api/v1/uploads/{name}/report", format="json").json()
    assert report["outcomes"] == expected
    assert sorted(row["row"] for row in report["results"]) == list(range(1, ROWS + 2))


@pytest.mark.chaos
def test_an_upload_that_was_on_its_way_in_is_not_there_after_a_kill(new_service: Any):
    service = a_service(new_service)
    folder: Path = service.data_dir / "uploads"
    begun = (
        f"POST /api/v1/uploads HTTP/1.1\r\nhost: 127.0.0.1:{service.port}\r\n"
        f"x-api-key: {API_KEY}\r\n"
        "content-type: multipart/form-data; boundary=b\r\ncontent-length: 3000000\r\n\r\n"
        '--b\r\ncontent-disposition: form-data; name="file"; filename="x.csv"\r\n\r\nid\n'
    )
    with socket.create_connection(("127.0.0.1", service.port)) as caller:
        caller.sendall(begun.encode() + b"1\n" * 1_000_000)
        wait_for(lambda: sum(f.stat().st_size for f in folder.rglob("rows.csv")) > 1_000_000)
        service.kill()
    service.start()
    assert service.get("/api/v1/uploads").json()["data"]["uploads"] == []
    wait_for(lambda: list(folder.iterdir()) == [])
