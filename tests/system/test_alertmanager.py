"""Whom an alert reaches: a Prometheus and an Alertmanager as they are deployed, on loopback.

The addresses that are told are ours, and nothing is waited for to be told together.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
import yaml

from tests.house.tables import ROOT
from tests.running import free_port
from tests.servers import Server
from tests.system.test_cluster import wait_for
from tests.watching import a_prometheus, program

ROUTES = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
TEMPLATES = Path("/usr/share/prometheus/alertmanager")
NOW = {"group_wait": "0s", "group_interval": "1s"}


@dataclass
class Chat:
    """What was told to each address, as Slack is told."""

    url: str = ""
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def titles(self, address: str) -> list[str]:
        return [said["attachments"][0]["title"] for said in self.told.get(address, [])]

    def text(self, address: str) -> str:
        return "\n".join(said["attachments"][0]["text"] for said in self.told.get(address, []))


@pytest.fixture
def chat() -> Iterator[Chat]:
    """Listens on a free port of the loopback; `/page` and `/ticket` are its addresses."""
    chat = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            chat.told.setdefault(self.path.strip("/"), []).append(body)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        chat.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield chat
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def an_alertmanager(folder: Path, chat: Chat) -> Iterator[str]:
    """Where a running one is reached."""
    if not TEMPLATES.exists():
        pytest.skip(f"{TEMPLATES} is missing, and `make test` could not make it")
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(_quick(folder, chat)))
    port = free_port()
    command = [program("prometheus-alertmanager"), f"--config.file={folder / 'alertmanager.yml'}"]
    command += [f"--storage.path={folder / 'data'}", "--cluster.listen-address="]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = Server(command, port, **quiet).start()
    try:
        wait_for(lambda: _is_ready(port), within=40)
        yield f"127.0.0.1:{port}"
    finally:
        server.end()


def _quick(folder: Path, chat: Chat) -> dict[str, Any]:
    """The deployed configuration; each receiver's secret file names our address for it."""
    routes: dict[str, Any] = yaml.safe_load(ROUTES.read_text("utf-8"))
    for one in [routes["route"], *routes["route"]["routes"]]:
        one |= NOW
    for receiver in routes["receivers"]:
        secret = folder / receiver["name"]
        secret.write_text(f"{chat.url}/{receiver['name']}")
        receiver["slack_configs"][0]["api_url_file"] = str(secret)
    return routes


def _is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
    except httpx2.TransportError:
        return False


def test_what_prometheus_finds_reaches_whom_it_is_for(tmp_path, chat):
    nobody = {"headrace-api": f"127.0.0.1:{free_port()}"}
    with (
        an_alertmanager(tmp_path / "alertmanager", chat) as address,
        a_prometheus(tmp_path / "prometheus", nobody, address),
    ):
        wait_for(lambda: "firing: HeadraceDown" in chat.titles("page"), within=60)
    assert "docs/runbooks.md#headracedown" in chat.text("page")
    assert "ticket" not in chat.told


def test_a_ticket_is_not_a_page_and_what_follows_from_a_page_is_not_told(tmp_path, chat):
    gone = {"alertname": "HeadracePartDown", "part": "store", "severity": "page"}
    follows = {"alertname": "HeadraceQuestionsFail", "severity": "ticket"}
    letters = {"alertname": "HeadracePipelineDeadLetters", "severity": "ticket"}
    with an_alertmanager(tmp_path / "alertmanager", chat) as address:
        for labels in (gone, follows, letters):
            alert = {"labels": labels, "annotations": {"summary": "s", "runbook_url": "docs"}}
            url = f"http://{address}/api/v2/alerts"
            wait_for(lambda url=url, alert=alert: httpx2.post(url, json=[alert]).is_success)
            wait_for(lambda labels=labels: _knows(address, labels["alertname"]))
        wait_for(lambda: chat.titles("page") and chat.titles("ticket"), within=60)
    assert set(chat.titles("page")) == {"firing: HeadracePartDown"}
    assert set(chat.titles("ticket")) == {"firing: HeadracePipelineDeadLetters"}


def _knows(address: str, name: str) -> bool:
    alerts = httpx2.get(f"http://{address}/api/v2/alerts").json()
    return name in {alert["labels"]["alertname"] for alert in alerts}
