"""`headrace customers`."""

import asyncio
import sys

import rich_click as click
from rich.console import Console

from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.cli.program import settings_here


@click.group()
def customers() -> None:
    """What is known of customers.

    \b
    For example:
      headrace customers erase user123456
    """


@customers.command("erase")
@click.argument("user_ids", nargs=-1, required=True, metavar="USER_ID...")
@click.option(
    "--environment",
    default=DEFAULT_ENVIRONMENT,
    show_default=True,
    help="Whose customers they are: its id or name.",
)
def customers_erase(user_ids: tuple[str, ...], environment: str) -> None:
    """Erase users: profile, history and all events, from the store and from what is counted.

    The service that writes does it; without one it is done here. What comes in afterwards under
    the same ids is kept again.

    \b
    For example:
      headrace customers erase user123456
      headrace customers erase user1 user2 --environment production
    """
    from service.operate import erase_customers

    sys.exit(asyncio.run(erase_customers(settings_here(), environment, user_ids, Console())))
