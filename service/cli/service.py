"""Start it, look after it: `up`, `serve`, `work`, `demo`, `health`, `verify`, `migrate`."""

import asyncio
import sys

import rich_click as click
from rich.console import Console

from service.cli.program import settings_here
from service.settings import resolved


@click.command()
def up() -> None:
    """Start everything in this process tree and serve until told to stop (Ctrl-C, SIGTERM).

    \b
    For example:
      headrace up
      API_PORT=9000 HEADRACE_DATA_DIR=/var/lib/headrace headrace up
    """
    from service.up import run_up

    sys.exit(run_up(settings_here()))


@click.command()
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="API processes."
)
@click.option("--listener", type=int, hidden=True, help="The supervisor's open socket.")
@click.option("--tie", type=int, hidden=True, help="The socket that ties a worker to it.")
def serve(workers: int, listener: int | None, tie: int | None) -> None:
    """Start API processes on one port; `headrace work` writes what they take in.

    Needs CLICKHOUSE_URL, NATS_URL and SECRET_KEY, so that processes share what they work on.
    SIGHUP replaces the processes one by one, without a failed request.

    \b
    For example:
      headrace serve --workers 4
      kill -HUP $(pgrep -of 'headrace serve')
    """
    from service.serve import run_api_worker, run_serve

    if listener is not None and tie is not None:
        sys.exit(run_api_worker(settings_here(), listener, tie))
    sys.exit(run_serve(settings_here(), workers))


@click.command()
def work() -> None:
    """Carry events from the stream to the store; a second one waits and takes over.

    Needs CLICKHOUSE_URL, NATS_URL and SECRET_KEY. Answers for its health on METRICS_PORT.

    \b
    For example:
      headrace work
      METRICS_PORT=9465 headrace work      a warm standby on the same machine
    """
    from service.worker import run_work

    sys.exit(run_work(settings_here()))


@click.command()
def health() -> None:
    """Ask the processes that run on the data directory whether they are ready; exit code 1 if not.

    \b
    For example:
      headrace health
    """
    from service.operate import health

    sys.exit(asyncio.run(health(settings_here(), Console())))


@click.command()
@click.option("--original-times", is_flag=True, help="Keep 2013; else the recording ends now.")
def demo(original_times: bool) -> None:
    """Start, and replay the flights that left New York in 2013, with curl lines to try.

    \b
    For example:
      headrace demo
      headrace demo --original-times
    """
    from service.up import run_demo

    sys.exit(run_demo(settings_here(), original_times))


@click.command()
def verify() -> None:
    """Compare rollups with raw rows, and the stream's offset with the store; exit code 1 if not.

    \b
    For example:
      headrace verify
    """
    from service.operate import verify

    sys.exit(asyncio.run(verify(settings_here(), Console())))


@click.command()
def settings() -> None:
    """Every setting with its value here; secrets masked.

    \b
    For example:
      headrace settings
      API_PORT=9000 headrace settings | grep API_
    """
    for variable, value in resolved(settings_here()).items():
        click.echo(f"{variable}={value}")


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if something is to do.")
def migrate(check: bool) -> None:
    """Bring the schemas of events and accounts up to date, as `headrace up` does at its start.

    \b
    For example:
      headrace migrate --check || headrace migrate
    """
    from service.operate import migrate

    sys.exit(asyncio.run(migrate(settings_here(), check, Console())))
