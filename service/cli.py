"""The command line: parsing only. Each command calls one function; errors become one line."""

import asyncio
import os
import re
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import rich_click as click
from rich.console import Console

from service import __version__, running
from service.errors import HeadraceError, SettingsError
from service.settings import Settings, load, resolved

_FILE = click.Path(dir_okay=False, path_type=Path)
_ENGINE = click.Choice(["duckdb", "clickhouse"])
_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


class _Headrace(click.RichGroup):
    """The root command: what goes wrong is said in one line, on stderr, with an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            _stop(ctx, error, 2)
        except BrokenPipeError:
            raise
        except (HeadraceError, OSError) as error:
            _stop(ctx, error, 1)


def _stop(ctx: click.Context, error: Exception, code: int) -> NoReturn:
    click.echo(f"headrace: {error}", err=True)
    ctx.exit(code)


class _Moment(click.ParamType[int]):
    """An ISO date or time, UTC where it has no offset; ms since 1970 UTC."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no ISO date or time such as 2026-01-31", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)


class _Expiry(click.ParamType[int]):
    """`90m`, `12h`, `30d` from now, or an ISO date or time; ms since 1970 UTC."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        now = time.time_ns() // 1_000_000
        if span := re.fullmatch(r"(\d{1,6})([mhd])", str(value)):
            return now + int(span[1]) * _UNITS[span[2]]
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither like 30d, 12h, 90m nor an ISO date", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if (at := int(moment.timestamp() * 1000)) <= now:
            self.fail(f"{value!r} has gone by", param, ctx)
        return at


def main() -> None:
    """The program `headrace`."""
    headrace(prog_name="headrace")


def _settings() -> Settings:
    return load(os.environ)


@click.group(cls=_Headrace, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def headrace() -> None:
    """Events in through NATS JetStream, kept in a columnar engine, answered a second later.

    \b
    For example:
      headrace demo                     see it at work with recorded flights
      headrace up                       start the service, data in ./data
      headrace keys create --name web   make a key to send and ask with

    Environment variables configure it: `headrace settings` lists them all.
    """


@headrace.command()
def up() -> None:
    """Start everything in this process tree and serve until told to stop (Ctrl-C, SIGTERM).

    \b
    For example:
      headrace up
      API_PORT=9000 HEADRACE_DATA_DIR=/var/lib/headrace headrace up
    """
    from service.up import run_up

    sys.exit(run_up(_settings()))


@headrace.command()
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
        sys.exit(run_api_worker(_settings(), listener, tie))
    sys.exit(run_serve(_settings(), workers))


@headrace.command()
def work() -> None:
    """Carry events from the stream to the store; a second one waits and takes over.

    Needs CLICKHOUSE_URL, NATS_URL and SECRET_KEY. Answers for its health on METRICS_PORT.

    \b
    For example:
      headrace work
      METRICS_PORT=9465 headrace work      a warm standby on the same machine
    """
    from service.worker import run_work

    sys.exit(run_work(_settings()))


@headrace.command()
def health() -> None:
    """Ask the processes that run on the data directory whether they are ready; exit code 1 if not.

    \b
    For example:
      headrace health
    """
    from service.operate import health

    sys.exit(asyncio.run(health(_settings(), Console())))


@headrace.command()
@click.option("--original-times", is_flag=True, help="Keep 2013; else the recording ends now.")
def demo(original_times: bool) -> None:
    """Start, and replay the flights that left New York in 2013, with curl lines to try.

    \b
    For example:
      headrace demo
      headrace demo --original-times
    """
    from service.up import run_demo

    sys.exit(run_demo(_settings(), original_times))


@headrace.group()
def keys() -> None:
    """Make, list and revoke API keys, also while the service runs.

    \b
    For example:
      key=$(headrace keys create --name collector --scopes ingest)
      headrace keys list
      headrace keys revoke key_0123456789abcdef
    """


@keys.command("create")
@click.option("--name", required=True, help="What the key is for; lists show it.")
@click.option(
    "--scopes",
    default="ingest,read",
    show_default=True,
    help="Comma list of ingest, read, admin.",
)
@click.option("--expires", type=_Expiry(), help="30d, 12h, 90m, or an ISO date. Default: never.")
def keys_create(name: str, scopes: str, expires: int | None) -> None:
    """Make a key and print it, alone, on stdout. It is shown only now.

    \b
    For example:
      key=$(headrace keys create --name collector --scopes ingest)
      headrace keys create --name dashboard --scopes read --expires 30d
    """
    from service.accounts.commands import create_key

    new = asyncio.run(create_key(_settings(), name, re.split(r"[, ]+", scopes), expires))
    click.echo(new.text)


@keys.command("list")
@click.option("--all", "revoked_too", is_flag=True, help="The revoked keys too.")
def keys_list(revoked_too: bool) -> None:
    """The keys and when each was used last. Of a key itself only the beginning is known.

    \b
    For example:
      headrace keys list
      headrace keys list --all
    """
    from service.accounts.commands import list_keys

    console = Console(width=None if sys.stdout.isatty() else 160)
    asyncio.run(list_keys(_settings(), revoked_too, console))


@keys.command("revoke")
@click.argument("key_id")
def keys_revoke(key_id: str) -> None:
    """End a key for good; a running service refuses it within a second.

    \b
    For example:
      headrace keys revoke key_0123456789abcdef
    """
    from service.accounts.commands import revoke_key

    revoked = asyncio.run(revoke_key(_settings(), key_id))
    click.echo(f"revoked {revoked.name} ({revoked.id})", err=True)


@headrace.group()
def environments() -> None:
    """List environments, and say how long each keeps its events; also while the service runs.

    \b
    For example:
      headrace environments list
      headrace environments retention env_default --days 30
    """


@environments.command("list")
def environments_list() -> None:
    """The environments and how long each keeps its events.

    \b
    For example:
      headrace environments list
    """
    from service.accounts.commands import list_environments

    console = Console(width=None if sys.stdout.isatty() else 160)
    asyncio.run(list_environments(_settings(), console))


@environments.command("retention")
@click.argument("environment")
@click.option("--days", type=click.IntRange(1, 36_500), help="Keep today and this many days back.")
@click.option("--for-ever", is_flag=True, help="Delete nothing more; the default.")
def environments_retention(environment: str, days: int | None, for_ever: bool) -> None:
    """Keep an environment's events for some days of their own time, or for ever.

    Whole days (UTC) are deleted, rows and counts alike, once they are older than that: a minute
    after this command, then at each midnight. What is deleted does not come back; within that
    minute --for-ever takes the command back. An event that comes later than the days kept is
    accepted and deleted like the rest.

    \b
    For example:
      headrace environments retention env_default --days 30
      headrace environments retention env_default --for-ever
    """
    from service.accounts.commands import set_retention

    if (days is None) != for_ever:
        raise click.UsageError("say either --days N or --for-ever")
    click.echo(asyncio.run(set_retention(_settings(), environment, days)))


@headrace.group()
def users() -> None:
    """Who signs in by e-mail, also while the service runs.

    \b
    For example:
      headrace users list
      headrace users sign-out ada@example.com
    """


@users.command("list")
def users_list() -> None:
    """The users and the environments that they work in, oldest first.

    \b
    For example:
      headrace users list
    """
    from service.accounts.commands import list_users

    console = Console(width=None if sys.stdout.isatty() else 160)
    asyncio.run(list_users(_settings(), console))


@users.command("sign-out")
@click.argument("email")
def users_sign_out(email: str) -> None:
    """End every session of a user; a running service refuses them within a second.

    \b
    For example:
      headrace users sign-out ada@example.com
    """
    from service.accounts.commands import sign_out

    ended = asyncio.run(sign_out(_settings(), email))
    click.echo(f"ended {ended} of the sessions of {email}", err=True)


@headrace.command()
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
    from service.accounts.commands import borrowed_key
    from service.replay import ReplayOptions, Report, replay

    settings = _settings()
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
        to = url or running.read(settings.data_dir).url
        async with nullcontext(api_key) if api_key else borrowed_key(settings) as key:
            return await replay(files, options, to, key, Console())

    sys.exit(asyncio.run(send()).exit_code)


@headrace.command()
def verify() -> None:
    """Compare rollups with raw rows, and the stream's offset with the store; exit code 1 if not.

    \b
    For example:
      headrace verify
    """
    from service.operate import verify

    sys.exit(asyncio.run(verify(_settings(), Console())))


@headrace.command()
def settings() -> None:
    """Every setting with its value here; secrets masked.

    \b
    For example:
      headrace settings
      API_PORT=9000 headrace settings | grep API_
    """
    for variable, value in resolved(_settings()).items():
        click.echo(f"{variable}={value}")


@headrace.command()
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if something is to do.")
def migrate(check: bool) -> None:
    """Bring the schemas of events and accounts up to date, as `headrace up` does at its start.

    \b
    For example:
      headrace migrate --check || headrace migrate
    """
    from service.operate import migrate

    sys.exit(asyncio.run(migrate(_settings(), check, Console())))


@headrace.command("export")
@click.option(
    "--to", "file", required=True, type=_FILE, help="The Parquet file to write; it must not exist."
)
@click.option("--from", "start", type=_Moment(), help="Events from this time on, their own time.")
@click.option("--until", "end", type=_Moment(), help="Events before this time, their own time.")
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
    sys.exit(asyncio.run(export(_settings(), file, chosen, Console())))


@headrace.command("import")
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

    sys.exit(asyncio.run(import_files(_settings(), files, environment, Console())))


@headrace.command("move")
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

    sys.exit(asyncio.run(move(_settings(), giver, taker, Console())))


@headrace.group("dead-letters")
def dead_letters() -> None:
    """Messages that could not be read and were put aside: look, send again, or let go.

    \b
    For example:
      headrace dead-letters list
      headrace dead-letters replay 17 18
      headrace dead-letters discard 17
    """


@dead_letters.command("list")
def dead_letters_list() -> None:
    """The oldest dead letters with their reasons.

    \b
    For example:
      headrace dead-letters list
    """
    from service.operate import list_dead_letters

    sys.exit(asyncio.run(list_dead_letters(_settings(), Console())))


@dead_letters.command("replay")
@click.argument("numbers", nargs=-1, required=True, type=int)
def dead_letters_replay(numbers: tuple[int, ...]) -> None:
    """Put dead letters on the stream again, once this program can read them.

    \b
    For example:
      headrace dead-letters replay 17 18
    """
    from service.operate import replay_dead_letters

    sys.exit(asyncio.run(replay_dead_letters(_settings(), numbers, Console())))


@dead_letters.command("discard")
@click.argument("numbers", nargs=-1, required=True, type=int)
def dead_letters_discard(numbers: tuple[int, ...]) -> None:
    """Forget dead letters for good.

    \b
    For example:
      headrace dead-letters discard 17
    """
    from service.operate import discard_dead_letters

    sys.exit(asyncio.run(discard_dead_letters(_settings(), numbers, Console())))


if __name__ == "__main__":
    main()
