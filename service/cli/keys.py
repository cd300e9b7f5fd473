"""`headrace keys`."""

import asyncio
import re

import rich_click as click

from service.accounts.tiers import TIERS
from service.cli.arguments import expires, grace, of_environment, revoked_too
from service.cli.program import settings_here
from service.cli.showing import as_json, screen


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys, also while the service runs.

    \b
    For example:
      key=$(headrace keys create --name collector --scopes ingest)
      headrace keys list
      new=$(headrace keys rotate key_0123456789abcdef --grace 7d)
      headrace keys revoke key_0123456789abcdef
    """


@keys.command("create")
@click.option("--name", required=True, help="What the key is for; lists show it.")
@click.option(
    "--scopes",
    default="ingest,read",
    show_default=True,
    help="Comma list of ingest, read, sql, admin.",
)
@expires
@click.option("--environment", help="Its id or name. Default: the default environment.")
@click.option(
    "--tier", type=click.Choice(TIERS), help="At most its environment's. Default: that one."
)
@click.option("--signs", is_flag=True, help="Never sent: prints its id and its signing secret.")
def keys_create(
    name: str,
    scopes: str,
    expires: int | None,
    environment: str | None,
    tier: str | None,
    signs: bool,
) -> None:
    """Make a key and print it, alone, on stdout. It is shown only now.

    Of a key that signs requests (docs/request-signing.md) two lines are printed: its id, and its
    signing secret.

    \b
    For example:
      key=$(headrace keys create --name collector --scopes ingest)
      headrace keys create --name dashboard --scopes read --expires 30d
      headrace keys create --name shop --environment production --tier basic
      headrace keys create --name collector --scopes ingest --signs
    """
    from service.accounts.commands.keys import WantedKey, create_key
    from service.bootstrap import sealing_of

    settings = settings_here()
    wanted = WantedKey(name, re.split(r"[, ]+", scopes), environment, tier, expires, signs)
    new = asyncio.run(create_key(settings, wanted, sealing_of(settings)))
    click.echo(f"{new.key.id}\n{new.signing_secret}" if signs else new.text)


@keys.command("list")
@revoked_too
@of_environment
@as_json
def keys_list(revoked_too: bool, environment: str | None, as_json: bool) -> None:
    """The keys and when each was used last. Of a key itself only the beginning is known.

    \b
    For example:
      headrace keys list
      headrace keys list --all --environment production
      headrace keys list --json | jq -r 'select(.last_used_at == null) | .id'
    """
    from service.accounts.commands.keys import list_keys

    asyncio.run(list_keys(settings_here(), environment, revoked_too, screen(as_json)))


@keys.command("rotate")
@click.argument("key_id")
@grace
def keys_rotate(key_id: str, grace: float) -> None:
    """Make a successor of a key and print it, alone, on stdout. It is shown only now.

    It has the same name, scopes and tier. Both keys are good until the grace is over; meanwhile
    bring the new one where the former is used. `keys list` tells when that was used last. Of a key
    that signs two lines are printed: the new id, and the new signing secret.

    \b
    For example:
      new=$(headrace keys rotate key_0123456789abcdef)
      headrace keys rotate key_0123456789abcdef --grace 7d
      headrace keys rotate key_0123456789abcdef --grace 0     it leaked: end it now
    """
    from service.accounts.commands.keys import rotate_key
    from service.bootstrap import sealing_of

    settings = settings_here()
    new = asyncio.run(rotate_key(settings, key_id, grace, sealing_of(settings)))
    click.echo(f"{new.key.id}\n{new.signing_secret}" if new.signing_secret else new.text)
    click.echo(f"{key_id} is followed by {new.key.id}", err=True)


@keys.command("revoke")
@click.argument("key_id")
def keys_revoke(key_id: str) -> None:
    """End a key for good; a running service refuses it within a second.

    \b
    For example:
      headrace keys revoke key_0123456789abcdef
    """
    from service.accounts.commands.keys import revoke_key

    revoked = asyncio.run(revoke_key(settings_here(), key_id))
    click.echo(f"revoked {revoked.name} ({revoked.id})", err=True)
