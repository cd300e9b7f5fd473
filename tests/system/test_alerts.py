"""Every alert fires when its cause is really there: a Prometheus watches a cluster that is hurt.

The rules and jobs are those of `deploy/`; alerts do not wait (`for:`), and scrapes come quicker.
"""

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import nats
import pytest
from nats.js import JetStreamContext

from service.running import read as read_note
from service.stream import subjects
from tests.chaos.faults import POISON, no_space_left, small_disk
from tests.chdb_server import PASSWORD as STORE_PASSWORD
from tests.chdb_server import USER as STORE_USER
from tests.cluster import ApiProcesses, Cluster, WriterProcess, a_cluster
from tests.servers import Server, url_of_broker
from tests.system.pipes import Pipes
from tests.system.test_cluster import wait_for
from tests.system.test_up import an_event
from tests.watching import Prometheus, a_prometheus, alerts, panels, series_in

SMALL_STREAM = 3 * 1024 * 1024
SMALL_BUS = 256 * 1024
OF_A_PART_THAT_IS_GONE = {
    *("HeadraceDown", "HeadracePartDown"),
    *("HeadraceStoreBehind", "HeadracePipelinesNotCarried"),
}
BY_SLOWNESS = {
    *("HeadraceSlowQuestions", "HeadraceSlowInserts", "HeadraceSlowAcknowledgement"),
    *("HeadraceErrors", "HeadraceIngestRefused"),
}
"""Alerts that a machine with much else to do may give cause for by itself."""


@dataclass
class Scene:
    """The cluster, its two halves, and who watches them."""

    cluster: Cluster
    api: ApiProcesses
    writer: WriterProcess
    prometheus: Prometheus
    pipes: Pipes
    sent: int = 0

    def send(self, **fields: Any) -> httpx2.Response | None:
        """Send an event; None when no answer comes in time."""
        self.sent += 1
        with suppress(httpx2.TransportError):
            return self.api.post("/api/v1/events", an_event(f"e{self.sent}", **fields))
        return None

    def ask(self) -> None:
        """Ask something that nobody has asked before."""
        self.sent += 1
        with suppress(httpx2.TransportError):
            self.api.get("/api/v1/analytics/metrics", eventType=f"t{self.sent}", timeout=30)

    def is_well(self) -> bool:
        """Whether all that was hurt before goes on again, and nothing waits."""
        value, alerts = self.prometheus.value, self.prometheus.firing()
        return (
            (value("sum(up)"), value("min(headrace_part_up)")) == (2, 1)
            and (value("sum(headrace_writer_active)"), value("max(headrace_lag_messages)"))
            == (1, 0)
            and not alerts.keys() & OF_A_PART_THAT_IS_GONE
        )

    def on_the_broker(self, doing: Callable[[JetStreamContext], Coroutine[Any, Any, None]]) -> None:
        """Do something past the service, as who has the broker's password can."""

        async def connected() -> None:
            connection = await nats.connect(url_of_broker(self.cluster.broker))
            await doing(connection.jetstream())
            await connection.close()

        asyncio.run(connected())

    @contextmanager
    def frozen(self, part: Server | WriterProcess) -> Iterator[None]:
        """A part that hangs for the time of the block."""
        signalled = part.send if isinstance(part, Server) else part.signal
        signalled(signal.SIGSTOP)
        try:
            yield
        finally:
            signalled(signal.SIGCONT)

    @contextmanager
    def dead(self, part: Server) -> Iterator[None]:
        """A part that is killed, and started again at the end."""
        part.end()
        try:
            yield
        finally:
            part.start()


@pytest.fixture(scope="module")
def scene(tmp_path_factory, postgres) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("watched")
    small = {"HEADRACE_STREAM_MAX_BYTES": str(SMALL_STREAM), "HEADRACE_PUBLISH_TIMEOUT": "3"}
    impatient = {"HEADRACE_QUERY_TIMEOUT": "20", "HEADRACE_CANARY_LATE": "20"}
    small["HEADRACE_CANARY_SECONDS"] = "3"
    small |= {"HEADRACE_PIPELINE_BYTES": str(SMALL_BUS), "HEADRACE_ALLOW_PRIVATE_TARGETS": "true"}
    with a_cluster(folder, postgres) as cluster:
        api, writer = cluster.api(workers=2, **impatient, **small), cluster.writer()
        writer.start(**small)
        api.start()
        jobs = {"headrace-api": api, "headrace-worker": writer}
        places = {job: f"127.0.0.1:{process.port}" for job, process in jobs.items()}
        with a_prometheus(folder / "prometheus", places) as prometheus:
            scene = Scene(cluster, api, writer, prometheus, Pipes(api))
            wait_for(lambda: prometheus.value("sum(up)") == 2, within=60)
            yield scene


def test_it_scrapes_both_halves_and_nothing_fires(scene: Scene):
    sent = scene.send()
    assert sent
    assert sent.status_code == 202
    scene.ask()
    value = scene.prometheus.value
    for series in ("headrace_events_accepted_total", "headrace_events_stored_total"):
        wait_for(lambda series=series: (value(f"sum({series})") or 0) >= 1, within=60)
    wait_for(lambda: scene.prometheus.firing().keys() <= BY_SLOWNESS, within=60)


def test_a_worker_that_dies_leaves_what_it_counted_and_takes_what_it_measured(scene: Scene):
    folder = scene.api.data_dir / f"telemetry-{scene.api.port}"
    before, [victim, _] = accepted(scene.api), measuring(folder)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(measuring(folder) - {victim}) == 2, within=60)
    assert victim not in measuring(folder)
    assert (folder / f"counter_{victim}.db").exists()
    assert accepted(scene.api) >= before


def accepted(api: ApiProcesses) -> float:
    """How many events the workers have taken, as one of them tells."""
    found = re.search(r"^headrace_events_accepted_total (.*)$", api.get("/-/metrics").text, re.M)
    assert found
    return float(found[1])


def measuring(folder: Path) -> set[int]:
    """The processes whose gauges are there, by their ids."""
    return {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}


# The causes. Each is there for the time of its block, in which what it gives is done repeatedly.

Doing = Callable[[], object]


def nothing() -> None: ...


@contextmanager
def strangers_call(scene: Scene) -> Iterator[Doing]:
    """Wrong events, and far too many calls: with a key that is none, and of sign-in."""
    with httpx2.Client(base_url=scene.api.base_url) as client:

        def call() -> None:
            scene.send(userId="")
            for _ in range(50):
                client.get("/api/v1/analytics/metrics", headers={"x-api-key": "evp_nobody"})
                client.get("/api/auth/me")

        yield call


@contextmanager
def a_stranger_publishes(scene: Scene) -> Iterator[Doing]:
    """A message that is no batch."""

    async def publish(stream: JetStreamContext) -> None:
        await stream.publish(subjects.events("env_default"), POISON)

    scene.on_the_broker(publish)
    yield nothing


@contextmanager
def a_rollup_is_altered(scene: Scene) -> Iterator[Doing]:
    """An event is counted that there is not."""
    row = "INSERT INTO events_by_minute VALUES ('env_default', 0, 'never', 1)"
    url, who = f"http://127.0.0.1:{scene.cluster.store.port}/", (STORE_USER, STORE_PASSWORD)
    assert httpx2.post(url, content=row, auth=who).status_code == 200
    token = read_note(scene.api.data_dir).operator_token
    headers = {"authorization": f"Bearer {token}"}
    found = httpx2.get(f"{scene.api.base_url}/-/verify", headers=headers, timeout=60)
    assert found.status_code == 200
    yield nothing


@contextmanager
def redis_dies(scene: Scene) -> Iterator[Doing]:
    with scene.dead(scene.cluster.cache):
        yield nothing


@contextmanager
def the_store_hangs(scene: Scene) -> Iterator[Doing]:
    """For four seconds at a time, in which an insert and a question wait for it."""

    def hang() -> None:
        asking = threading.Thread(target=scene.ask)
        with scene.frozen(scene.cluster.store):
            asking.start()
            scene.send()
            time.sleep(4)
        asking.join()

    yield hang


@contextmanager
def the_store_dies(scene: Scene) -> Iterator[Doing]:
    def use() -> None:
        scene.send()
        scene.ask()

    with scene.dead(scene.cluster.store):
        yield use


@contextmanager
def the_broker_dies(scene: Scene) -> Iterator[Doing]:
    with scene.dead(scene.cluster.broker):
        yield scene.send


@contextmanager
def the_writer_hangs(scene: Scene) -> Iterator[Doing]:
    """Every part answers, but nothing is counted: who sends events to be counted is told."""
    with scene.frozen(scene.writer):
        yield scene.send
        wait_for(lambda: scene.api.get("/api/ready").status_code == 503)
        assert scene.api.get("/api/health").json()["status"] == "healthy"


@contextmanager
def a_message_is_deleted(scene: Scene) -> Iterator[Doing]:
    """By somebody with the broker's password, before the writer has stored it."""

    async def delete(stream: JetStreamContext) -> None:
        last = (await stream.stream_info(subjects.EVENTS)).state.last_seq
        await stream.delete_msg(subjects.EVENTS, last)

    with scene.frozen(scene.writer):
        wait_for(lambda: (sent := scene.send()) is not None and sent.status_code == 202)
        scene.on_the_broker(delete)
        scene.send()
    yield nothing


@contextmanager
def more_comes_than_is_forgotten(scene: Scene) -> Iterator[Doing]:
    def fill() -> None:
        noise = [{"noise": os.urandom(15_000).hex()} for _ in range(20)]
        events = [an_event(f"noise{n}", payload=payload) for n, payload in enumerate(noise)]
        scene.api.post("/api/v1/events/batch", {"events": events})

    yield fill


@contextmanager
def the_stream_is_made_anew(scene: Scene) -> Iterator[Doing]:
    async def replace(stream: JetStreamContext) -> None:
        made = (await stream.stream_info(subjects.EVENTS)).config
        await stream.delete_stream(subjects.EVENTS)
        await stream.add_stream(made)

    with scene.frozen(scene.writer):
        scene.on_the_broker(replace)
    yield nothing


@contextmanager
def the_disk_is_full(scene: Scene) -> Iterator[Doing]:
    with small_disk(scene.writer.data_dir, "1m") as disk, no_space_left(disk):
        yield nothing


@contextmanager
def a_record_is_refused(scene: Scene) -> Iterator[Doing]:
    """By the mapper of a pipeline; the one beside it goes on."""
    for price in ("none", 1.5):
        pushed = scene.pipes.push(scene.pipes.orders, {"who": "ada", "price": price})
        assert pushed.status_code == 202
    yield nothing


@contextmanager
def targets_of_pipelines_fail(scene: Scene) -> Iterator[Doing]:
    """One does not answer, whatever comes for it; one says that nobody knows who calls."""
    pipes = scene.pipes
    made = away, broken = pipes.into_nowhere("away"), pipes.into("strange", scene.api.base_url)
    assert pipes.push(broken, {"n": 1}).status_code == 202
    yield lambda: pipes.push_noise(away)
    pipes.delete(*made)


CAUSES = {
    strangers_call: ["HeadraceManyRejects", "HeadraceManyRefusals", "HeadraceKeysGuessed"],
    a_stranger_publishes: ["HeadraceDeadLetters"],
    a_rollup_is_altered: ["HeadraceRollupMismatch"],
    redis_dies: ["HeadraceCacheDown"],
    the_store_hangs: ["HeadraceSlowQuestions", "HeadraceSlowInserts"],
    the_store_dies: [
        *("HeadracePartDown", "HeadraceWriterFails"),
        *("HeadraceQuestionsFail", "HeadraceErrors"),
    ],
    the_broker_dies: ["HeadraceIngestRefused", "HeadraceSlowAcknowledgement"],
    the_writer_hangs: [
        *("HeadraceStoreBehind", "HeadraceNobodyWrites"),
        *("HeadraceDown", "HeadraceCanaryLate", "HeadracePipelinesNotCarried"),
    ],
    a_message_is_deleted: ["HeadraceStreamGap"],
    more_comes_than_is_forgotten: ["HeadraceStreamAlmostFull"],
    the_stream_is_made_anew: ["HeadraceStreamRolledBack"],
    the_disk_is_full: ["HeadraceDiskAlmostFull"],
    a_record_is_refused: ["HeadracePipelineDeadLetters"],
    targets_of_pipelines_fail: [
        *("HeadracePipelineBehind", "HeadracePipelineBusAlmostFull"),
        "HeadracePipelineBroken",
    ],
}


def test_each_alert_has_a_cause_here():
    assert sorted(name for names in CAUSES.values() for name in names) == sorted(alerts())


@pytest.mark.parametrize("cause", CAUSES)
def test_alerts_fire_when_their_cause_is_there(cause, scene: Scene):
    awaited = set(CAUSES[cause]) - BY_SLOWNESS
    wait_for(lambda: scene.is_well() and not scene.prometheus.firing().keys() & awaited, within=60)
    with cause(scene) as doing:
        scene.prometheus.wait_until(*CAUSES[cause], doing=doing)


def test_every_series_of_dashboard_and_rules_was_really_scraped(scene: Scene):
    known = set(scene.prometheus.ask("label/__name__/values"))
    asked = [expression for _, expression in panels()]
    asked += [rule["expr"] for rule in alerts().values()]
    assert {name for expression in asked for name in series_in(expression)} <= known


def test_every_panel_of_the_dashboard_has_shown_something(scene: Scene):
    """At some time of what was done above: what has ended shows nothing any more."""
    rate = "$__rate_interval"
    empty = [
        title
        for title, expression in panels()
        if scene.prometheus.value(f"last_over_time(({expression.replace(rate, '5m')})[1h:5s])")
        is None
    ]
    assert empty == []
