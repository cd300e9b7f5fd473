"""What a tenant uploads to be delivered: files of the same name, each his own alone."""

import json
from typing import Any

from tests.flows.tenants.side import Side

UPLOADS = "/api/v1/uploads"
_TOLD = {"base_url": "http://api.example.com", "endpoints": {"customers": "/users"}}
_OF_AN_UPLOAD = [
    *(("GET", path) for path in ("", "/events", "/report")),
    *(("POST", "/resume"), ("DELETE", "")),
]


def look_after_uploads(mine: Side, other: Side) -> None:
    """Both upload; each finds what is his, and the other's is not there."""
    mine.uploads += [_uploaded(mine), _uploaded(mine)]
    listed = mine.call("GET", UPLOADS).json()["data"]["uploads"]
    mine.are_his([one["id"] for one in listed], mine.uploads)
    last = f"{UPLOADS}/{mine.uploads[-1]}"
    assert mine.call("GET", last).json()["data"]["name"] == "customers.csv"
    assert mine.call("POST", f"{last}/resume").status_code == 409
    assert mine.call("DELETE", last).status_code == 204
    mine.uploads.pop()
    for upload in other.uploads[-1:]:
        for method, path in _OF_AN_UPLOAD:
            assert mine.call(method, f"{UPLOADS}/{upload}{path}").status_code == 404


def _uploaded(mine: Side) -> str:
    """Nobody delivers in these stories: it waits."""
    files: Any = {"file": ("customers.csv", b"id\n1\n", "text/csv")}
    answer = mine.call("POST", UPLOADS, data={"config": json.dumps(_TOLD)}, files=files)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["id"])
