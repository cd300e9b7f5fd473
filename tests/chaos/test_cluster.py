"""The layout of a cluster, its parts killed at random: three brokers, ClickHouse, writers, API."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import httpx2
import pytest

from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_http import OverHttp
from tests.chaos.brokers import three_brokers, url_of_brokers
from tests.chaos.clients import Ledger, Load, together
from tests.chaos.judge import SOUND, Findings, compare_store, wait_until_counted
from tests.chaos.links import Link, a_link
from tests.chaos.lying import lie
from tests.chaos.tally import judged, struck
from tests.chdb_server import url_of
from tests.cluster import Cluster, WriterProcess
from tests.servers import Server, a_clickhouse, a_valkey, url_of_broker, url_of_valkey

FROZEN_SECONDS = 30
LEAST_SECONDS = 45
EAGER = {"HEADRACE_STREAM_KEEP_SECONDS": "3"}


class Layout:
    """Everything that runs, two of each, and what may be done to it."""

    def __init__(self, cluster: Cluster, brokers: list[Server], store: Link, broker: Link) -> None:
        self.cluster = cluster
        self.brokers = brokers
        self._to_store, self._to_broker = store, broker
        behind = {"CLICKHOUSE_URL": url_of(store.port)}
        self.writers = [cluster.writer(**EAGER, **behind).start() for _ in range(2)]
        self.api = cluster.api(workers=1).start()
        self.other_api = cluster.api(workers=1, NATS_URL=url_of_broker(broker)).start()
        self.done: Counter[str] = Counter()

    def active(self) -> WriterProcess:
        """The writer whose turn it is; waits until there is one."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for writer in self.writers:
                if self._is_active(writer):
                    return writer
            time.sleep(0.1)
        raise AssertionError(self.told())

    def _is_active(self, writer: WriterProcess) -> bool:
        try:
            return writer.is_active()
        except httpx2.HTTPError:
            return False

    def kill_writer(self, dice: random.Random) -> None:
        _again(self.active())
        struck("cluster", "writer killed")

    def kill_standby(self, dice: random.Random) -> None:
        active = self.active()
        _again(next(writer for writer in self.writers if writer is not active))
        struck("cluster", "writer killed")

    def kill_broker(self, dice: random.Random) -> None:
        broker = dice.choice(self.brokers)
        broker.end()
        time.sleep(dice.random() * 2)
        broker.start()
        struck("cluster", "broker killed")

    def stop_broker(self, dice: random.Random) -> None:
        broker = dice.choice(self.brokers)
        broker.send(signal.SIGSTOP)
        time.sleep(dice.random() * 2)
        broker.send(signal.SIGCONT)
        struck("cluster", "broker stopped")

    def cut_off_store(self, dice: random.Random) -> None:
        self._to_store.go_silent(dice.random() * 3)
        struck("cluster", "cut off from its event store")

    def cut_off_broker(self, dice: random.Random) -> None:
        self._to_broker.go_silent(dice.random() * 3)
        struck("cluster", "cut off from its broker")

    def lie(self, dice: random.Random) -> None:
        """Give every key of Redis the value of another one, or rubbish."""
        told = asyncio.run(lie(url_of_valkey(self.cluster.cache), dice))
        struck("cluster", "Redis lies", told)

    def kill_store(self, dice: random.Random) -> None:
        self.cluster.store.end()
        time.sleep(dice.random())
        self.cluster.store.start()
        struck("cluster", "event store killed")

    def kill_api(self, dice: random.Random) -> None:
        self.api.kill()
        self.api.start()
        struck("cluster", "service killed")

    def told(self) -> str:
        """What helps to understand a verdict."""
        processes = [self.api, self.other_api, *self.writers]
        return f"{self.done}\n" + "\n".join(p.last_words() for p in processes)


def _again(process: WriterProcess) -> None:
    process.kill()
    process.launch()


@pytest.fixture
def layout(tmp_path, postgres) -> Iterator[Layout]:
    with three_brokers() as brokers, a_clickhouse() as store, a_valkey() as cache:
        accounts = asyncio.run(postgres.new_database())
        cluster = Cluster(tmp_path, brokers[0], store, cache, accounts)
        cluster.variables["NATS_URL"] = url_of_brokers(brokers)
        try:
            with a_link(store.port) as to_store, a_link(brokers[0].port) as to_broker:
                made = Layout(cluster, brokers, to_store, to_broker)
                yield made
            print(made.told())  # noqa: T201
        finally:
            for process in cluster.processes:
                process.clean_up()


@pytest.mark.timeout(600)
def test_a_cluster_whose_parts_die_at_random_counts_each_event_once(layout, seed, seconds):
    load, other = Load(layout.api, seed, clients=2, largest=100), Load(layout.other_api, f"{seed}b")
    load.days = 200
    with load, other:
        load.wait_for_more(200)
        freeze_and_kill(layout, load, max(seconds, LEAST_SECONDS), random.Random(seed))
        load.wait_for_more(200)
        other.wait_for_more(200)
    assert min(layout.done.values()) > 0, layout.done
    struck("cluster", "two writers, two doors")
    assert_counted_once(layout, together(load.ledger, other.ledger))


def freeze_and_kill(layout: Layout, load: Load, seconds: float, dice: random.Random) -> None:
    """Freeze the active writer for a while, and kill the other parts meanwhile and later."""
    kills = [layout.kill_broker, layout.stop_broker, layout.kill_store, layout.kill_api,
             layout.cut_off_store, layout.cut_off_broker, layout.lie]  # fmt: skip
    kills_of_writers = [layout.kill_writer, layout.kill_standby]
    frozen, begun = layout.active(), time.monotonic()
    frozen.signal(signal.SIGSTOP)
    layout.done.update({kill.__name__: 0 for kill in kills + kills_of_writers})
    while (gone := time.monotonic() - begun) < seconds or 0 in layout.done.values():
        if gone >= FROZEN_SECONDS and frozen:
            frozen.signal(signal.SIGCONT)
            struck("cluster", "writer stopped")
            frozen = None
        kill = next_of(kills if frozen else kills + kills_of_writers, layout.done, dice)
        kill(dice)
        layout.done[kill.__name__] += 1
        load.wait_for_more(dice.randrange(100, 1000), within=60)


Kill = Callable[[random.Random], None]


def next_of(kills: Sequence[Kill], done: Counter[str], dice: random.Random) -> Kill:
    """One that was not done yet, if there is any; so that each comes soon."""
    new = [kill for kill in kills if not done[kill.__name__]]
    return dice.choice(new or kills)


def assert_counted_once(layout: Layout, ledger: Ledger) -> None:
    """Every acknowledged event is stored once, every view counts it once, nothing else is there."""
    wait_until_counted(layout.api, len(ledger.acknowledged), still=20)
    found = asyncio.run(_look(layout.cluster.store.port, ledger))
    judged("cluster", len(ledger.acknowledged), len(found.lost), len(found.doubled))
    assert found == SOUND, layout.told()
    assert not ledger.surprises, ledger.surprises[:5]
    for writer in layout.writers:
        assert not list(writer.logged("writer.new_epoch")), "a broker that lagged behind misled it"


async def _look(port: int, ledger: Ledger) -> Findings:
    store = ClickHouseStore(await OverHttp.open(url_of(port)), shared=True)
    try:
        return await compare_store(store, ledger)
    finally:
        await store.close()
