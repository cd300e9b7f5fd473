"""CSV_SOURCE to HTTP_API_TARGET in a running service: each row of a file created once."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from tests.delivery.api import FAULTS, Api, serving
from tests.flows.test_pipelines_up import Owner, wait_for

ROWS = 1_500
MAPPER = [
    {"key": "id", "path": "$.Number", "primary_key": True},
    {"key": "name", "path": "$.Company"},
]
SETTINGS = {
    "backoff_factor": 0.01,
    "timeout": 1,
    "retry_attempts": 8,
    "max_concurrent_requests": 8,
    "breaker_pause": 0.1,
    "rows_per_request": 20,
}


def an_owner(new_service: Any, files: Path) -> Owner:
    """Whoever owns an environment of a service that reads files there and reaches this machine."""
    told = {"HEADRACE_FILES_DIR": files, "HEADRACE_ALLOW_PRIVATE_TARGETS": "true"}
    owner = Owner(new_service(**told).start())
    put_file(files / owner.call("GET", "/api/users/me")["active_env_id"])
    return owner


def put_file(folder: Path) -> None:
    """Semicolons, Latin letters, newlines in quotes, and a row that cannot be read."""
    folder.mkdir(parents=True)
    with (folder / "customers.csv").open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Number", "Company"])
        writer.writerows([n, f"Müller\n& Söhne {n}"] for n in range(ROWS))
        file.write("9999;too;many\n")


def carry(owner: Owner, api: Api) -> Any:
    """A pipeline from the file to the API, started."""
    told = {"base_url": api.url, "endpoints": {"customers": "/users"}, "settings": SETTINGS}
    pipeline = owner.pipeline(
        "customers",
        source_type="CSV_SOURCE",
        source_config={"path": "customers.csv"},
        target_type="HTTP_API_TARGET",
        target_config=told,
        subscription_mapper_config=MAPPER,
    )
    return owner.call("GET", f"/api/pipelines/{pipeline}")


def letters(owner: Owner, pipeline: Any) -> Any:
    path = f"/api/subscriptions/{pipeline['subscription_id']}/dead-letters"
    return owner.call("GET", path)["items"]


def test_the_file_is_seen_before_there_is_a_pipeline(new_service: Any, tmp_path: Path):
    owner = an_owner(new_service, tmp_path / "files")
    ask = "/api/connector-types/csv-source"
    assert owner.call("POST", f"{ask}/list-topics", json={}) == ["customers.csv"]
    told = owner.call("POST", f"{ask}/check-credentials", json={"path": "customers.csv"})
    rows = owner.call("POST", f"{ask}/fetch-messages", json={"path": "customers.csv", "limit": 2})
    assert told["valid"], told
    assert rows[1]["value"] == {"Number": "1", "Company": "Müller\n& Söhne 1"}


def test_each_row_is_created_once_over_kills_by_an_api_that_misbehaves(
    new_service: Any, tmp_path: Path
):
    owner = an_owner(new_service, tmp_path / "files")
    faults = {one: 0.02 for one in FAULTS if one not in ("hang", "ask to wait")}
    with serving(Api(faults=faults, holds_at=ROWS // 3)) as api:
        pipeline = carry(owner, api)
        for part in (ROWS // 3, 2 * ROWS // 3):
            wait_for(lambda part=part: len(api.created) >= part)
            owner.service.kill()
            api.holds_at = part + ROWS // 3 if part < ROWS // 2 else None
            owner.service.start()
        wait_for(lambda: len(api.created) == ROWS and letters(owner, pipeline))
    assert api.created == Counter({str(n): 1 for n in range(ROWS)})
    assert max(len(asked.rows) for asked in api.asked) == SETTINGS["rows_per_request"]
    [refused] = letters(owner, pipeline)
    assert "3 cells, the header has 2" in str(refused["value"])
