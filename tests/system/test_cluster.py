"""A cluster on one machine: API workers, a writer and its standby, each part a real server."""

import asyncio
import json
import os
import random
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.cluster import ApiProcesses, Cluster, WriterProcess, a_cluster
from tests.running import API_KEY, free_port
from tests.servers import PASSWORD
from tests.system.test_up import an_event, wait_until_gone

EVER = {"start": "2013-01-01T00:00:00Z", "end": "2014-01-02T00:00:00Z"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgres) -> Iterator[Cluster]:
    with a_cluster(tmp_path_factory.mktemp("cluster"), postgres) as running:
        yield running


@pytest.fixture(scope="module")
def writers(cluster: Cluster) -> list[WriterProcess]:
    """One that writes and one that waits; tests change which is which."""
    return [cluster.writer().start(), cluster.writer().start()]


@pytest.fixture(scope="module")
def api(cluster: Cluster, writers: list[WriterProcess]) -> ApiProcesses:
    return cluster.api(workers=2).start()


def wait_for(said: Callable[[], bool], within: float = 20) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + within
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def active(writers: list[WriterProcess]) -> WriterProcess:
    wait_for(lambda: sum(w.is_active() for w in writers if w.exit_code() is None) == 1)
    return next(w for w in writers if w.exit_code() is None and w.is_active())


def counted(api: ApiProcesses, event_type: str) -> int:
    window = {"start": "2012-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}
    answer = api.get("/api/v1/analytics/metrics", eventType=event_type, **window)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["totalEvents"]


def send(api: ApiProcesses, event_type: str, first: int, events: int) -> str:
    """Send events in one batch; the receipt."""
    batch = [
        an_event(f"{event_type}-{n}", eventType=event_type) for n in range(first, first + events)
    ]
    answer = api.post("/api/v1/events/batch", {"events": batch})
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]["receipt"]


def counted_after(api: ApiProcesses, event_type: str, receipt: str) -> int:
    deadline = time.monotonic() + 30
    while True:
        answer = api.get(
            "/api/v1/analytics/metrics", timeRange="1h", eventType=event_type, after=receipt
        )
        if answer.status_code == 200:
            return answer.json()["data"]["totalEvents"]
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline


def workers_of(api: ApiProcesses) -> set[int]:
    children = Path(f"/proc/{api.pid}/task/{api.pid}/children").read_text()
    return {int(pid) for pid in children.split()}


def test_a_receipt_of_one_worker_is_good_at_all(api):
    receipt = send(api, "receipts", 0, 10)
    assert {counted_after(api, "receipts", receipt) for _ in range(8)} == {10}
    states = [api.get(f"/api/v1/receipts/{receipt}").json()["data"]["state"] for _ in range(8)]
    assert set(states) == {"queryable"}


def test_a_repeat_sent_to_any_worker_counts_once(api):
    for _ in range(8):
        receipt = send(api, "repeats", 0, 10)
    assert counted_after(api, "repeats", receipt) == 10


def test_a_repeat_is_told_by_whichever_worker_gets_it(api):
    document = an_event("told")
    assert api.post("/api/v1/events", document).json()["data"]["duplicate"] is False
    time.sleep(0.1)
    told = [api.post("/api/v1/events", document).json()["data"]["duplicate"] for _ in range(8)]
    assert told == [True] * 8


def test_a_revoked_key_is_soon_refused_by_all_workers(api):
    key = api.headrace("keys", "create", "--name", "short").stdout.strip()
    assert asked_with(api, key) == [200] * 8
    listed = api.headrace("keys", "list").stdout
    [key_id] = [line.split()[0] for line in listed.splitlines() if " short " in line]
    assert api.headrace("keys", "revoke", key_id).returncode == 0
    wait_for(lambda: asked_with(api, key) == [401] * 8)


def asked_with(api: ApiProcesses, key: str) -> list[int]:
    """What both workers say to a key."""
    return [api.get("/api/v1/events/stats", key=key).status_code for _ in range(8)]


def sockets_of(pid: int) -> int:
    links = (link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
    return sum(str(link).startswith("socket:") for link in links)


def test_workers_share_a_burst_of_connections(api):
    workers = sorted(workers_of(api))
    before = [sockets_of(pid) for pid in workers]
    burst = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(60)]
    wait_for(lambda: sum(map(sockets_of, workers)) >= sum(before) + 60)
    shares = [sockets_of(pid) - then for pid, then in zip(workers, before, strict=True)]
    for connection in burst:
        connection.close()
    assert min(shares) >= 10, shares


def accepted(api: ApiProcesses) -> float:
    [line] = re.findall(r"^headrace_events_accepted_total .*", api.get("/-/metrics").text, re.M)
    return float(line.split()[1])


def test_telemetry_adds_up_what_all_workers_did(api):
    before = {accepted(api) for _ in range(8)}
    for n in range(8):
        send(api, "telemetry", n * 10, 10)
    after = {accepted(api) for _ in range(8)}
    assert (len(before), after) == (1, {before.pop() + 80})


def taken_over(writer: WriterProcess) -> int:
    """How often it wrote because another had said nothing for some time."""
    return len(list(writer.logged("lease.taken_over")))


@pytest.mark.chaos
def test_a_standby_takes_over_from_a_killed_writer_and_every_event_counts_once(api, writers):
    killed, before = active(writers), sum(map(taken_over, writers))
    for n in range(20):
        receipt = send(api, "killed", n * 100, 100)
        if n == 10:
            killed.kill()
    assert counted_after(api, "killed", receipt) == 2000
    assert active(writers) is not killed
    assert sum(map(taken_over, writers)) == before + 1
    killed.start()
    assert "everything agrees" in api.headrace("verify").stdout


def test_a_writer_that_is_told_to_end_hands_over_at_once(api, writers):
    leaving = active(writers)
    send(api, "handover", 0, 100)
    [other] = [w for w in writers if w is not leaving]
    before = taken_over(other)
    leaving.signal(signal.SIGTERM)
    wait_for(other.is_active)
    assert taken_over(other) == before
    assert leaving.ended(within=15) == 0
    assert counted_after(api, "handover", send(api, "handover", 100, 100)) == 200
    leaving.start()


class Load:
    """Callers that send and ask without a pause, on connections that they keep and on new ones."""

    def __init__(self, api: ApiProcesses, event_type: str) -> None:
        self._url, self._port, self._type = api.base_url, api.port, event_type
        self._numbers = count()
        self.answers: list[int] = []
        self.failures: list[str] = []
        self.stop = False

    async def run(self, while_so: Callable[[], bool], least: float) -> None:
        """Go on for `least` seconds, and for as long as `while_so`."""
        tasks = [asyncio.create_task(self._call(kept=n % 4 != 0)) for n in range(8)]
        tasks += [asyncio.create_task(self._call_now_and_then()) for _ in range(8)]
        begun = time.monotonic()
        while time.monotonic() - begun < least or while_so():
            await asyncio.sleep(0.1)
        self.stop = True
        await asyncio.gather(*tasks)

    async def _call(self, kept: bool) -> None:
        while not self.stop:
            async with self._client() as client:
                await self._once(client)
                while kept and not self.stop:
                    await self._once(client)

    async def _call_now_and_then(self) -> None:
        """On a connection that is kept until an answer says that it ends, and rests in between."""
        while not self.stop:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            told = False
            while not (told or self.stop):
                await asyncio.sleep(random.random() / 2)
                writer.write(b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(re.search(rb"length: (\d+)", head)[1]))
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    self.failures.append(f"closed without a word: {error!r}")
                    break
                self.answers.append(int(head[9:12]))
                told = b"connection: close" in head
            writer.close()

    def _client(self) -> httpx2.AsyncClient:
        headers = {"x-api-key": API_KEY}
        return httpx2.AsyncClient(base_url=self._url, headers=headers, timeout=20)

    async def _once(self, client: httpx2.AsyncClient) -> None:
        number = next(self._numbers)
        try:
            if number % 4:
                document = an_event(f"{self._type}-{number}", eventType=self._type)
                answer = await client.post("/api/v1/events", json=document)
            else:
                answer = await client.get("/api/v1/analytics/metrics?timeRange=1h")
        except httpx2.HTTPError as error:
            self.failures.append(repr(error))
        else:
            self.answers.append(answer.status_code)

    @property
    def sent(self) -> int:
        return self.answers.count(202)


@pytest.mark.chaos
def test_a_rolling_restart_under_load_fails_no_request(api):
    before, renewed = workers_of(api), len(list(api.logged("serve.renewed")))
    load = Load(api, "rolling")
    api.signal(signal.SIGHUP)
    asyncio.run(load.run(lambda: len(list(api.logged("serve.renewed"))) == renewed, least=3))
    assert workers_of(api).isdisjoint(before)
    assert load.failures == []
    assert set(load.answers) == {200, 202}
    assert len(load.answers) > 200
    assert counted_after(api, "rolling", send(api, "rolling", 10**6, 1)) == load.sent + 1


def test_a_worker_that_dies_is_replaced_and_the_others_go_on(api):
    victim = min(workers_of(api))
    os.kill(victim, signal.SIGKILL)
    wait_until_gone(victim)
    assert api.get("/api/live").status_code == 200
    wait_for(lambda: len(workers_of(api)) == 2)


def test_workers_end_with_a_supervisor_that_is_killed(cluster, writers):
    api = cluster.api(workers=1).start()
    [worker] = workers_of(api)
    api.kill()
    wait_until_gone(worker)


@pytest.mark.chaos
def test_ready_tells_of_a_part_that_goes_away_and_comes_back(cluster, api):
    for part in (cluster.store, cluster.broker):
        part.send(signal.SIGSTOP)
        wait_for(lambda: api.get("/api/ready").status_code == 503)
        part.send(signal.SIGCONT)
        wait_for(lambda: api.get("/api/ready").status_code == 200)
    assert counted_after(api, "after", send(api, "after", 0, 10)) == 10


@pytest.mark.chaos
def test_without_redis_everything_goes_on(cluster, api):
    cluster.cache.send(signal.SIGSTOP)
    try:
        assert counted_after(api, "no-redis", send(api, "no-redis", 0, 10)) == 10
        wait_for(lambda: api.get("/api/health").json()["status"] == "degraded")
        assert api.get("/api/ready").status_code == 200
    finally:
        cluster.cache.send(signal.SIGCONT)


def test_health_is_a_command_for_each_process(api, writers):
    for process in (api, writers[0]):
        told = process.headrace("health")
        assert (told.returncode, told.stdout.strip().endswith("is ready")) == (0, True)
    nobody = api.headrace("health", HEADRACE_DATA_DIR=str(api.data_dir / "none"))
    assert nobody.returncode == 1


def test_what_is_needed_to_run_apart_is_told_in_one_line(new_service):
    for command in ("serve", "work"):
        told = new_service().headrace(command)
        assert told.returncode == 2
        assert told.stderr.count("\n") == 1
        assert f"headrace {command} cannot run without CLICKHOUSE_URL" in told.stderr


@pytest.mark.parametrize(
    "away",
    [
        {"NATS_URL": "nats://127.0.0.1:{port}"},
        {"POSTGRES_URL": "postgresql://a:b@127.0.0.1:{port}/c"},
        {"CLICKHOUSE_URL": "http://a:b@127.0.0.1:{port}/c"},
    ],
    ids=lambda away: next(iter(away)),
)
def test_a_start_waits_for_a_part_that_is_away_says_so_and_can_be_ended(away, cluster):
    unreachable = {name: url.format(port=free_port()) for name, url in away.items()}
    api = cluster.api(workers=1, **unreachable)
    api.launch()
    wait_for(lambda: api.log.exists() and "waiting" in api.log.read_text())
    assert PASSWORD not in api.log.read_text()
    assert api.stop() == 0


def test_logs_of_a_cluster_hold_no_secret(cluster, api, writers):
    for process in (api, *writers):
        log = process.log.read_text()
        assert json.loads(log.splitlines()[0])
        for secret in (PASSWORD, API_KEY, cluster.variables["SECRET_KEY"]):
            assert secret not in log


def test_one_process_over_all_urls_is_as_good(cluster, api, writers, new_service):
    up = new_service(**cluster.variables).start()
    moment = datetime.now(UTC).isoformat()
    document = an_event("from-up", eventType="up", timestamp=moment)
    assert up.post("/api/v1/events?ack=stored", document).json()["data"]["stored"]
    wait_for(lambda: counted(api, "up") == 1)
    assert up.stop() == 0
