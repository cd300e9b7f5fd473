"""Signed requests over TLS, to processes on one port that remember nonces together."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.cluster import ApiProcesses, Cluster
from tests.documented import sign
from tests.system.test_up import an_event

PATH = "/api/v1/events"
TRIES = 8
"""Connections of their own: enough that both processes have some."""


@pytest.fixture(scope="module")
def api(quiet_cluster: Cluster) -> Iterator[ApiProcesses]:
    served = quiet_cluster.api(workers=2).over_tls().start()
    yield served
    assert served.stop() == 0


@pytest.fixture(scope="module")
def signer(api: ApiProcesses) -> tuple[str, str]:
    """The id of a key that is never sent, and its secret."""
    scopes = ("--scopes", "ingest,read")
    made = api.headrace("keys", "create", "--name", "signer", *scopes, "--signs")
    key_id, secret = made.stdout.split()
    return key_id, secret


@dataclass(frozen=True)
class Signed:
    """A request that sends an event."""

    body: bytes
    headers: dict[str, str]

    @classmethod
    def by(cls, key_id: str, secret: str, event_id: str) -> "Signed":
        body = json.dumps(an_event(event_id, eventType="signed")).encode()
        return cls(body, sign(key_id, secret, "POST", PATH, body))

    def send(self, api: ApiProcesses) -> httpx2.Response:
        headers = {"content-type": "application/json", **self.headers}
        url = api.base_url + PATH
        return httpx2.post(url, content=self.body, headers=headers, verify=api.trusts)


def test_each_signed_request_is_taken_once_by_whichever_process_gets_it(api, signer):
    requests = [Signed.by(*signer, f"e{number}") for number in range(TRIES)]
    answers = [[request.send(api) for _ in range(3)] for request in requests]
    assert [[answer.status_code for answer in each] for each in answers] == [
        [202, 401, 401]
    ] * TRIES
    receipt = answers[-1][0].json()["data"]["receipt"]
    path = f"/api/v1/analytics/metrics?timeRange=24h&eventType=signed&after={receipt}"
    headers = sign(*signer, "GET", path)
    told = httpx2.get(api.base_url + path, headers=headers, verify=api.trusts)
    assert told.json()["data"]["totalEvents"] == TRIES
    assert "strict-transport-security" in told.headers


def test_what_was_signed_with_another_secret_is_refused_by_all(api, signer):
    key_id, secret = signer
    answers = [Signed.by(key_id, secret[::-1], "e").send(api) for _ in range(TRIES)]
    assert {answer.json()["error"]["code"] for answer in answers} == {"INVALID_SIGNATURE"}


def test_commands_reach_the_processes_over_tls(api):
    assert api.headrace("health").stdout.strip().endswith("is ready")
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{api.base_url}/api/live")
