"""`deliver`: rows of a CSV file into any HTTP API."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from rich.console import Console

from service import crash
from service.cli.program import settings_here

_FILE = click.Path(dir_okay=False, path_type=Path)


def _schema(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from service.delivery.config import schema

        click.echo(msgspec.json.format(msgspec.json.encode(schema()), indent=2))
        ctx.exit()


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--config",
    type=_FILE,
    default=Path("api_config.json"),
    show_default=True,
    help="Where the API is, how to sign in, what to send.",
)
@click.option("--api", default="", help="Which API of the configuration. Default: the only one.")
@click.option("--mapping", default="", help="Which of its `api_mappings`. Default: the API's own.")
@click.option("--dry-run", is_flag=True, help="Check every row, show the first requests; no more.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where journal and reports are kept. Default: FILE.delivery/API beside the file.",
)
@click.option("--anew", is_flag=True, help="Forget what was delivered before: send every row.")
@click.option("--no-health-check", is_flag=True, help="Do not ask the API's health endpoint first.")
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_schema,
    help="Print the JSON schema of the configuration.",
)
def deliver(
    file: Path,
    config: Path,
    api: str,
    mapping: str,
    dry_run: bool,
    folder: Path | None,
    anew: bool,
    no_health_check: bool,
) -> None:
    """Send each row of a CSV file to an HTTP API, once.

    Ctrl-C ends it cleanly; the same command goes on where it was, and tries failed rows again.
    Exit codes: 0 every row is there, 3 some are not (the reports say why), 1 it had to stop,
    2 the file or the configuration is wrong, 130 interrupted.

    \b
    For example:
      headrace deliver customers.csv --dry-run
      headrace deliver customers.csv --config api_config.json
      headrace deliver customers.csv --api crm --mapping salesforce
    """
    from service.settings.environment import passed_down
    from service.terminal.delivering import Asked, deliver

    crash.arm(settings_here().crash_at)
    asked = Asked(file, config, api, mapping, folder, dry_run, anew, not no_health_check)
    console: Any = Console(width=None if sys.stdout.isatty() else 200)
    sys.exit(asyncio.run(deliver(asked, passed_down(), console)))
