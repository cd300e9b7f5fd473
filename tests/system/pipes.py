"""Pipelines of a cluster, made over HTTP by somebody who owns an environment there."""

import os
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.cluster import ApiProcesses
from tests.flows.test_pipelines_up import Owner
from tests.running import free_port
from tests.system.test_cluster import wait_for

PRICED = [
    {"key": "user_id", "path": "$.who"},
    {"key": "price", "path": "$.price", "cast": "float", "nullable": False},
]
"""A mapper that refuses records without a price."""


class Pipes:
    """Somebody's pipelines. The service is called as before by everybody else."""

    def __init__(self, api: ApiProcesses) -> None:
        self._api, before = api, api.api_key
        self._owner = Owner(api)
        self._key, api.api_key = api.api_key, before
        self.orders = self._owner.pipeline(subscription_mapper_config=PRICED)
        """One that runs, into the event store."""
        wait_for(lambda: self.state(self.orders) == "live", within=60)

    def into(self, name: str, base_url: str) -> str:
        """The id of a new one that sends records to the doors of a service, without a key."""
        config = {"base_url": base_url, "endpoints": {"customers": "/api/v1/events"}}
        target = {"target_type": "HTTP_API_TARGET", "target_config": config}
        return self._owner.pipeline(name, **target)

    def into_nowhere(self, name: str) -> str:
        """One whose target never answers."""
        return self.into(name, f"http://127.0.0.1:{free_port()}")

    def state(self, pipeline: str) -> str:
        return self._owner.call("GET", f"/api/pipelines/{pipeline}")["state"]

    def push(self, pipeline: str, record: Mapping[str, Any]) -> httpx2.Response:
        url = f"{self._api.base_url}/api/v1/pipelines/{pipeline}/records"
        return httpx2.post(url, json=[record], headers={"x-api-key": self._key}, timeout=30)

    def push_noise(self, pipeline: str) -> httpx2.Response:
        """A record that cannot be packed."""
        return self.push(pipeline, {"noise": os.urandom(15_000).hex()})

    def delete(self, *pipelines: str) -> None:
        for pipeline in pipelines:
            self._owner.call("DELETE", f"/api/pipelines/{pipeline}")
