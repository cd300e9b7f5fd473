"""Who may do what: `keys`, `environments`, `users`."""

import asyncio
import re
import sys

import rich_click as click
from rich.console import Console

from service.cli.arguments import Expiry
from service.cli.program import settings_here


@click.group()
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
@click.option("--expires", type=Expiry(), help="30d, 12h, 90m, or an ISO date. Default: never.")
@click.option("--signs", is_flag=True, help="Never sent: prints its id and its signing secret.")
def keys_create(name: str, scopes: str, expires: int | None, signs: bool) -> None:
    """Make a key and print it, alone, on stdout. It is shown only now.

    Of a key that signs requests (docs/request-signing.md) two lines are printed: its id, and its
    signing secret.

    \b
    For example:
      key=$(headrace keys create --name collector --scopes ingest)
      headrace keys create --name dashboard --scopes read --expires 30d
      headrace keys create --name collector --scopes ingest --signs
    """
    from service.accounts.commands import create_key
    from service.bootstrap import sealing_of

    settings = settings_here()
    sealing = sealing_of(settings) if signs else None
    new = asyncio.run(create_key(settings, name, re.split(r"[, ]+", scopes), expires, sealing))
    click.echo(f"{new.key.id}\n{new.signing_secret}" if signs else new.text)


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
    asyncio.run(list_keys(settings_here(), revoked_too, console))


@keys.command("revoke")
@click.argument("key_id")
def keys_revoke(key_id: str) -> None:
    """End a key for good; a running service refuses it within a second.

    \b
    For example:
      headrace keys revoke key_0123456789abcdef
    """
    from service.accounts.commands import revoke_key

    revoked = asyncio.run(revoke_key(settings_here(), key_id))
    click.echo(f"revoked {revoked.name} ({revoked.id})", err=True)


@click.group()
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
    asyncio.run(list_environments(settings_here(), console))


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
    click.echo(asyncio.run(set_retention(settings_here(), environment, days)))


@click.group()
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
    asyncio.run(list_users(settings_here(), console))


@users.command("sign-out")
@click.argument("email")
def users_sign_out(email: str) -> None:
    """End every session of a user; a running service refuses them within a second.

    \b
    For example:
      headrace users sign-out ada@example.com
    """
    from service.accounts.commands import sign_out

    ended = asyncio.run(sign_out(settings_here(), email))
    click.echo(f"ended {ended} of the sessions of {email}", err=True)
