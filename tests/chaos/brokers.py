"""Three NATS servers that are one cluster: each message is on all of them, and one may die."""

import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.running import free_port
from tests.servers import KEPT, PASSWORD, Server, url_of_broker


@contextmanager
def three_brokers() -> Iterator[list[Server]]:
    """Servers on loopback, on a folder of their own each."""
    routes = [free_port() for _ in range(3)]
    with tempfile.TemporaryDirectory(prefix="headrace-brokers-") as folder:
        servers = [_broker(Path(folder), number, routes) for number in range(3)]
        try:
            yield [server.start() for server in servers]
        finally:
            for server in servers:
                server.end()


def _broker(folder: Path, number: int, routes: list[int]) -> Server:
    port, binary = free_port(), shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    assert binary
    listed = ", ".join(f'"nats://127.0.0.1:{route}"' for route in routes)
    configuration = folder / f"{number}.conf"
    configuration.write_text(
        f'server_name: "n{number}"\nlisten: "127.0.0.1:{port}"\n'
        f"max_payload: {32 * 1024 * 1024}\n"
        f'authorization {{ user: headrace, password: "{PASSWORD}" }}\n'
        f'jetstream {{ store_dir: "{folder}/{number}", {KEPT} }}\n'
        f'cluster {{ name: chaos, listen: "127.0.0.1:{routes[number]}", routes: [{listed}] }}\n'
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return Server([binary, "--config", configuration], port, **quiet)


def url_of_brokers(servers: list[Server]) -> str:
    """The NATS_URL of the cluster."""
    return ",".join(url_of_broker(server) for server in servers)
