"""The layout of a cluster on one machine: every part a real server, every role its own process."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chdb_server import url_of as url_of_clickhouse
from tests.running import RunningService
from tests.servers import (
    Postgres,
    Server,
    a_broker,
    a_clickhouse,
    a_valkey,
    url_of_broker,
    url_of_valkey,
)


class ApiProcesses(RunningService):
    """`headrace serve` with a few workers."""

    def __init__(self, folder: Path, workers: int, **variables: str) -> None:
        super().__init__(folder, **variables)
        self.command = (*self.command[:-1], "serve", "--workers", str(workers))


class WriterProcess(RunningService):
    """`headrace work`: it answers for its health where others answer questions."""

    def __init__(self, folder: Path, **variables: str) -> None:
        super().__init__(folder, **variables)
        self._environment["METRICS_PORT"] = str(self.port)
        self.command = (*self.command[:-1], "work")

    def is_active(self) -> bool:
        """Whether it is this one's turn to write."""
        return "headrace_writer_active 1.0" in self.get("/-/metrics").text


class Cluster:
    """The servers, and the processes that a test starts on them."""

    def __init__(self, folder: Path, broker: Server, store: Server, cache: Server, accounts: str):
        self._folder = folder
        self.broker, self.store, self.cache = broker, store, cache
        self.processes: list[RunningService] = []
        self.variables = {
            "NATS_URL": url_of_broker(broker),
            "CLICKHOUSE_URL": url_of_clickhouse(store.port),
            "REDIS_URL": url_of_valkey(cache),
            "POSTGRES_URL": accounts,
            "SECRET_KEY": "a secret that all processes of this cluster share",
            "PROMETHEUS_ENABLED": "true",
        }

    def api(self, workers: int = 2, **variables: str) -> ApiProcesses:
        """API processes, not started yet."""
        made = ApiProcesses(self._next(), workers, **self.variables | variables)
        self.processes.append(made)
        return made

    def writer(self, **variables: str) -> WriterProcess:
        """A writer, not started yet."""
        made = WriterProcess(self._next(), **self.variables | variables)
        self.processes.append(made)
        return made

    def _next(self) -> Path:
        return self._folder / f"process{len(self.processes)}"


@contextmanager
def a_cluster(folder: Path, postgres: Postgres) -> Iterator[Cluster]:
    """All servers, each empty; whatever the test started on them is ended."""
    with ExitStack() as servers:
        parts = [servers.enter_context(part()) for part in (a_broker, a_clickhouse, a_valkey)]
        cluster = Cluster(folder, *parts, asyncio.run(postgres.new_database()))
        try:
            yield cluster
        finally:
            for process in cluster.processes:
                process.clean_up()
