"""Events in and out by the file: `replay`, `export`, `import`, `move`."""

import asyncio
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import rich_click as click
from rich.console import Console

from service import running
from service.cli.arguments import Moment
from service.cli.program import settings_here

_FILE = click.Path(dir_okay=False, path_type=Path)
_ENGINE = click.Choice(["duckdb", "clickhouse"])


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second at most."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Keep the recorded pace, this many times as fast. Default: as fast as it goes.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 1000),
    default=500,
    show_default=True,
    help="Events in one request.",
)
@click.option("--shift-to-now", is_flag=True, help="Shift all times so that the last is now.")
@click.option(
    "--repeat", type=click.IntRange(1), default=1, show_default=True, help="Send it all this often."
)
@click.option("--strict", is_flag=True, help="Stop at the first row that is no event.")
@click.option("--url", help="Where the service is. Default: the one on the data directory.")
@click.option("--api-key", help="Default: HEADRACE_BOOTSTRAP_API_KEY, or one made for this replay.")
def replay(
    files: tuple[str, ...],
    rate: float | None,
    speed: float | None,
    batch: int,
    shift_to_now: bool,
    repeat: int,
    strict: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Send recorded events (NDJSON or CSV; plain, .gz or .zst) and check that each counts once.

    `flights-2013` is a recording that comes with Headrace.

    \b
    For example:
      headrace replay flights-2013
      headrace replay events.ndjson.zst
      headrace replay january.csv february.csv --shift-to-now --rate 5000
      headrace replay events.csv --url https://example.org --api-key evp_...
    """
    from service.accounts.commands.opened import borrowed_key
    from service.replay import ReplayOptions, Report, replay

    settings = settings_here()
    options = ReplayOptions(
        rate=rate,
        speed=speed,
        batch=batch,
        shift_to_now=shift_to_now,
        repeat=repeat,
        strict=strict,
    )
    if url and not (api_key or settings.bootstrap_api_key):
        raise click.UsageError("--url needs --api-key, or HEADRACE_BOOTSTRAP_API_KEY")

    async def send() -> Report:
        to, how = url, options
        if to is None:
            there = running.read(settings.data_dir)
            to, how = there.url, replace(options, trust=running.trusted(there.certificate))
        async with nullcontext(api_key) if api_key else borrowed_key(settings) as key:
            return await replay(files, how, to, key, Console())

    sys.exit(asyncio.run(send()).exit_code)


@click.command("export")
@click.option(
    "--to", "file", required=True, type=_FILE, help="The Parquet file to write; it must not exist."
)
@click.option("--from", "start", type=Moment(), help="Events from this time on, their own time.")
@click.option("--until", "end", type=Moment(), help="Events before this time, their own time.")
@click.option("--environment", default="", help="The id of one environment. Default: all of them.")
def export_events(file: Path, start: int | None, end: int | None, environment: str) -> None:
    """Write stored events into one Parquet file, beside a running service or without one.

    Anything that reads Parquet can read it. Killed half way, the same command goes on where it was.

    \b
    For example:
      headrace export --to events.parquet
      headrace export --to january.parquet --from 2026-01-01 --until 2026-02-01
    """
    from service.moving import export
    from service.transfer.outgoing import EVER, Choice

    chosen = Choice(environment, -EVER if start is None else start, EVER if end is None else end)
    sys.exit(asyncio.run(export(settings_here(), file, chosen, Console())))


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option(
    "--environment", default="", help="Put all events into this one. Default: each into its own."
)
def import_events(files: tuple[Path, ...], environment: str) -> None:
    """Bring exported files into the service, each event once, and check that all are there.

    Beside a running service or without one, into a store that is empty or not. Killed half way, the
    same command goes on where it was; run twice, it says that everything was there already.

    \b
    For example:
      headrace import events.parquet
      headrace import january.parquet february.parquet
    """
    from service.moving import import_files

    sys.exit(asyncio.run(import_files(settings_here(), files, environment, Console())))


@click.command("move")
@click.option(
    "--from", "giver", required=True, type=_ENGINE, help="The engine that holds the events now."
)
@click.option(
    "--to", "taker", required=True, type=_ENGINE, help="The engine that shall hold them; empty."
)
def move_events(giver: str, taker: str) -> None:
    """Move all events between the DuckDB file and the ClickHouse that CLICKHOUSE_URL names.

    Their positions and receipts stay as they are. Killed half way, the same command goes on where
    it was. It may run beside the service of the file; stop that one, run it again for what came
    meanwhile, and start anew with CLICKHOUSE_URL set.

    \b
    For example:
      CLICKHOUSE_URL=http://user:pass@host:8123/db headrace move --from duckdb --to clickhouse
    """
    from service.moving import move

    sys.exit(asyncio.run(move(settings_here(), giver, taker, Console())))
