"""`headrace audit`."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import rich_click as click

from service.cli.arguments import Moment
from service.cli.program import settings_here
from service.cli.showing import as_json, screen


def _wanted(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which entries are chosen."""
    for option in (
        click.option("--environment", help="Of this one alone: its id or name."),
        click.option("--action", default="", help="An action, or its beginning: key.made, key."),
        click.option("--actor", default="", help="Id or name of who did it, exactly."),
        click.option(
            "--limit",
            type=click.IntRange(1, 500),
            default=50,
            show_default=True,
            help="At most so many entries.",
        ),
        as_json,
    ):
        command = option(command)
    return command


@click.group()
def audit() -> None:
    """Who changed what, when, and from where: keys, users, environments, sessions.

    \b
    For example:
      headrace audit list --action key.
      headrace audit tail
    """


@audit.command("list")
@_wanted
@click.option("--since", type=Moment(), help="From this ISO date or time on.")
@click.option("--until", type=Moment(), help="Up to before this ISO date or time.")
def audit_list(as_json: bool, since: int | None, until: int | None, **wanted: Any) -> None:
    """The newest entries that are wanted, the newest last.

    \b
    For example:
      headrace audit list
      headrace audit list --actor ada@example.com --since 2026-01-31
      headrace audit list --action code.refused --json --limit 500
    """
    from service.accounts.audit_log import Asked
    from service.accounts.commands.audit import list_entries

    asked = Asked(wanted.pop("environment"), **wanted, since=since, until=until)
    asyncio.run(list_entries(settings_here(), asked, screen(as_json)))


@audit.command("tail")
@_wanted
def audit_tail(as_json: bool, **wanted: Any) -> None:
    """The newest entries, then each new one as it is written, until interrupted.

    \b
    For example:
      headrace audit tail
      headrace audit tail --action session. --json
    """
    from service.accounts.audit_log import Asked
    from service.accounts.commands.audit import follow

    asked = Asked(wanted.pop("environment"), **wanted)
    with suppress(KeyboardInterrupt):
        asyncio.run(follow(settings_here(), asked, screen(as_json)))
