"""Which web server? Bare handlers in each, in turn. Not a part of the bench; for the decision.

    python -m loadtests.servers [ROUNDS]

What is not installed (granian, zttp) is left out.
"""

import asyncio
import statistics
import sys
from contextlib import AbstractContextManager, ExitStack
from importlib.util import find_spec
from typing import Any

import msgspec
from litestar import Litestar
from rich.console import Console
from rich.table import Table

from loadtests.bare import litestar
from loadtests.generator import Sent
from loadtests.processes import Subject, free_port, serving
from loadtests.rounds import checked

SECONDS = 2.0
_UVICORN = (
    "uvicorn --loop uvloop --ws none --lifespan off --no-access-log --log-level error "
    "--no-server-header --no-proxy-headers"
)
_GRANIAN = "granian --no-ws --http 1 --backpressure 2000 --log-level error --interface asginl"
_COMMANDS = {
    "uvicorn httptools": ("httptools", f"{_UVICORN} --http httptools"),
    "uvicorn zttp": ("zttp", f"{_UVICORN} --http zttp"),
    "granian": ("granian", f"{_GRANIAN} --loop uvloop"),
    "granian st": ("granian", f"{_GRANIAN} --loop uvloop --runtime-mode st"),
}
_LOADS: dict[str, tuple[str, dict[str, Any], int]] = {
    "GET JSON, Litestar": ("app", {"what": "question", "paths": ["/bytes"], "status": 200}, 64),
    "POST event, ASGI": ("decoding", {"what": "event", "paths": ["/event"]}, 64),
    "POST batch, ASGI": ("decoding", {"what": "batch", "paths": ["/batch"]}, 16),
}


def app() -> Litestar:
    """Litestar with a document of about the size of a metrics answer."""
    bucket = {"timestamp": "2026-01-01T00:00:00.000Z", "count": 1234}
    return litestar(msgspec.json.encode({"eventsOverTime": [bucket] * 130}))


async def measure(rounds: int) -> dict[tuple[str, str], list[Sent]]:
    """All loads on all servers that are installed, in turn."""
    found: dict[tuple[str, str], list[Sent]] = {}
    for what, (target, load, connections) in _LOADS.items():
        with ExitStack() as running:
            servers = {
                name: running.enter_context(_server(command, target))
                for name, (module, command) in _COMMANDS.items()
                if find_spec(module)
            }
            for name, server in list(servers.items()) * rounds:
                sent = await server.carry(**load, connections=connections, seconds=SECONDS)
                found.setdefault((what, name), []).append(checked(f"{what} in {name}", sent))
    return found


def _server(command: str, target: str) -> AbstractContextManager[Subject]:
    name, *options = command.split()
    port = free_port()
    module = "loadtests.servers:app" if target == "app" else "loadtests.bare:decoding"
    where = [module, "--host", "127.0.0.1", "--port", str(port)]
    factory = ["--factory"] if target == "app" else []
    return serving([sys.executable, "-m", name, *where, *factory, *options], port, {})


def _table(found: dict[tuple[str, str], list[Sent]]) -> Table:
    shown = Table("", "server", "requests/s", "p99 ms", "µs of processor a request", "rounds")
    for (what, name), sent in found.items():
        rates = [one.rate for one in sent]
        shown.add_row(
            what,
            name,
            f"{statistics.median(rates):,.0f}",
            f"{statistics.median(one.p99 for one in sent):.1f}",
            f"{statistics.median(one.cost for one in sent):.0f}",
            f"{min(rates):,.0f} … {max(rates):,.0f}",
        )
    return shown


if __name__ == "__main__":
    Console(width=140).print(_table(asyncio.run(measure(int((*sys.argv[1:], "3")[0])))))
