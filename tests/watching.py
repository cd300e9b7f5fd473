"""Prometheus and Alertmanager for tests: their checkers, and a Prometheus that scrapes for real."""

import json
import re
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.house.tables import ROOT
from tests.running import free_port
from tests.servers import Server

CONFIGURATION = ROOT / "deploy" / "prometheus" / "prometheus.yml"
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "headrace.json"

_SERIES = re.compile(r"\bheadrace_\w+")


def program(name: str) -> str:
    """Where `make test` put it, or the system has it; skips where it is nowhere."""
    beside = shutil.which(name, path=sysconfig.get_path("scripts"))
    found = beside or shutil.which(name)
    if not found:
        pytest.skip(f"there is no {name}; `make test` fetches it where it can")
    return found


def said_by(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """What a checker says."""
    command = [program(name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def alerts() -> dict[str, dict]:
    """The rules of `deploy/prometheus/rules.yml` by the name of their alert."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard: its panel's title, and the expression."""
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def series_in(expression: str) -> set[str]:
    """The series of ours that an expression names."""
    return set(_SERIES.findall(expression))


class Prometheus:
    """A running one, and what it has seen."""

    def __init__(self, port: int) -> None:
        self._client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)

    def ask(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its API."""
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def value(self, expression: str) -> float | None:
        """What an expression is now; None without a sample."""
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> dict[str, dict[str, str]]:
        """The labels of the alerts that fire, by name."""
        alerts = self.ask("alerts")["alerts"]
        found = [a["labels"] for a in alerts if a["state"] == "firing"]
        return {labels["alertname"]: labels for labels in found}

    def wait_until(self, *names: str, doing: Callable[[], object] = lambda: None) -> None:
        """Return when each of these alerts has fired; `doing` is repeated till then."""
        missing, deadline = set(names), time.monotonic() + 90
        while missing:
            doing()
            missing -= self.firing().keys()
            assert not missing or time.monotonic() < deadline, f"never fired: {missing}"
            time.sleep(0.1)

    def is_there(self) -> bool:
        with suppress(httpx2.TransportError):
            return self._client.get("/-/ready").status_code == 200
        return False

    def close(self) -> None:
        self._client.close()


@contextmanager
def a_prometheus(folder: Path, jobs: Mapping[str, str], tells: str = "") -> Iterator[Prometheus]:
    """As it is deployed, but quick: `jobs` are asked at these addresses, and no alert waits.

    `tells`: the address of an Alertmanager that hears of alerts; empty: nobody does.
    """
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_quick(jobs, tells)))
    (folder / "rules.yml").write_text(yaml.safe_dump(_at_once()))
    port = free_port()
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server, prometheus = Server(command, port, **quiet).start(), Prometheus(port)
    try:
        deadline = time.monotonic() + 40
        while not prometheus.is_there():
            assert time.monotonic() < deadline, "Prometheus does not come up"
            time.sleep(0.05)
        yield prometheus
    finally:
        prometheus.close()
        server.end()


def _quick(jobs: Mapping[str, str], tells: str) -> dict[str, Any]:
    configuration: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text("utf-8"))
    [managers] = configuration["alerting"]["alertmanagers"]
    managers["static_configs"] = [{"targets": [tells] if tells else []}]
    configuration["global"] = dict.fromkeys(configuration["global"], "500ms")
    configuration["scrape_configs"] = [
        {"job_name": job["job_name"], "metrics_path": job["metrics_path"]}
        | {"static_configs": [{"targets": [jobs[job["job_name"]]]}]}
        for job in configuration["scrape_configs"]
        if job["job_name"] in jobs
    ]
    return configuration


def _at_once() -> dict[str, Any]:
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text("utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["for"] = "0s"
    return rules
