"""`headrace service-accounts`."""

import asyncio

import rich_click as click

from service.cli.arguments import revoked_too
from service.cli.program import settings_here
from service.cli.showing import as_json, screen


@click.group("service-accounts")
def service_accounts() -> None:
    """Make, list and revoke tokens of programs that act for a user in one environment.

    \b
    For example:
      token=$(headrace service-accounts create ada@example.com --name nightly)
      headrace service-accounts list ada@example.com
    """


@service_accounts.command("create")
@click.argument("email")
@click.option("--name", default="", help="What it is for; lists show it.")
@click.option("--environment", help="Its id or name. Default: the one where the user works.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long."
)
def service_accounts_create(email: str, name: str, environment: str | None, days: int) -> None:
    """Make one and print its token, alone, on stdout. It is shown only now.

    \b
    For example:
      token=$(headrace service-accounts create ada@example.com --name nightly --days 90)
    """
    from service.accounts.commands.service_accounts import create_service_account
    from service.bootstrap import tokens_of

    settings = settings_here()
    making = create_service_account(settings, tokens_of(settings), email, environment, name, days)
    made, token = asyncio.run(making)
    click.echo(token)
    click.echo(f"made {made.name} ({made.id})", err=True)


@service_accounts.command("list")
@click.argument("email")
@revoked_too
@as_json
def service_accounts_list(email: str, revoked_too: bool, as_json: bool) -> None:
    """The service accounts of a user, and when each was used last.

    \b
    For example:
      headrace service-accounts list ada@example.com
    """
    from service.accounts.commands.service_accounts import list_service_accounts
    from service.bootstrap import tokens_of

    settings, shown = settings_here(), screen(as_json)
    asyncio.run(list_service_accounts(settings, tokens_of(settings), email, revoked_too, shown))


@service_accounts.command("revoke")
@click.argument("email")
@click.argument("account_id")
def service_accounts_revoke(email: str, account_id: str) -> None:
    """End one for good; a running service refuses its token within a second.

    \b
    For example:
      headrace service-accounts revoke ada@example.com ses_0123456789abcdef
    """
    from service.accounts.commands.service_accounts import revoke_service_account
    from service.bootstrap import tokens_of

    settings = settings_here()
    asyncio.run(revoke_service_account(settings, tokens_of(settings), email, account_id))
    click.echo(f"revoked {account_id}", err=True)
