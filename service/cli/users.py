"""`headrace users`."""

import asyncio
import sys

import rich_click as click

from service.cli.program import settings_here
from service.cli.showing import as_json, screen


@click.group()
def users() -> None:
    """List, make and mark the people who sign in, also while the service runs.

    \b
    For example:
      headrace users list
      headrace users make ada@example.com
      headrace users promote ada@example.com
      headrace users sign-out ada@example.com
    """


@users.command("list")
@as_json
def users_list(as_json: bool) -> None:
    """The users and the environments that they work in, oldest first.

    \b
    For example:
      headrace users list
      headrace users list --json | jq -r 'select(.is_superuser) | .email'
    """
    from service.accounts.commands.users import list_users

    asyncio.run(list_users(settings_here(), screen(as_json)))


@users.command("show")
@click.argument("email")
@as_json
def users_show(email: str, as_json: bool) -> None:
    """One user.

    \b
    For example:
      headrace users show ada@example.com
    """
    from service.accounts.commands.users import show_user

    asyncio.run(show_user(settings_here(), email, screen(as_json)))


@users.command("make")
@click.argument("email")
@click.option("--superuser", is_flag=True, help="Who sees and changes what is not his.")
@click.option("--without-password", is_flag=True, help="He signs in with codes sent by e-mail.")
def users_make(email: str, superuser: bool, without_password: bool) -> None:
    """Make an account; the password is asked for, or read from stdin where that is no terminal.

    The address counts as proved: you vouch for it. Whoever comes first owns the default
    environment and is superuser.

    \b
    For example:
      headrace users make ada@example.com
      headrace users make ada@example.com --superuser < password.txt
      headrace users make bob@example.com --without-password
    """
    from service.accounts.commands.users import make_user

    password = None if without_password else _password()
    made = asyncio.run(make_user(settings_here(), email, password, superuser))
    click.echo(f"made {made.email} ({made.id})", err=True)


@users.command("promote")
@click.argument("email")
def users_promote(email: str) -> None:
    """Make a user superuser: he sees and changes what is not his.

    \b
    For example:
      headrace users promote ada@example.com
    """
    _set_superuser(email, True)


@users.command("demote")
@click.argument("email")
def users_demote(email: str) -> None:
    """Make a superuser an ordinary user. The last one stays.

    \b
    For example:
      headrace users demote ada@example.com
    """
    _set_superuser(email, False)


@users.command("deactivate")
@click.argument("email")
def users_deactivate(email: str) -> None:
    """Let a user sign in no more; all his sessions end, and those of his service accounts.

    His environments and their keys go on. `headrace users activate` takes it back, but for the
    sessions.

    \b
    For example:
      headrace users deactivate ada@example.com
    """
    _set_active(email, False)


@users.command("activate")
@click.argument("email")
def users_activate(email: str) -> None:
    """Let a user sign in again.

    \b
    For example:
      headrace users activate ada@example.com
    """
    _set_active(email, True)


@users.command("sign-out")
@click.argument("email")
def users_sign_out(email: str) -> None:
    """End every session of a user; a running service refuses them within a second.

    \b
    For example:
      headrace users sign-out ada@example.com
    """
    from service.accounts.commands.users import sign_out

    ended = asyncio.run(sign_out(settings_here(), email))
    click.echo(f"ended {ended} of the sessions of {email}", err=True)


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _set_superuser(email: str, is_superuser: bool) -> None:
    from service.accounts.commands.users import set_superuser

    user = asyncio.run(set_superuser(settings_here(), email, is_superuser))
    click.echo(f"{user.email} is {'a' if user.is_superuser else 'no'} superuser", err=True)


def _set_active(email: str, is_active: bool) -> None:
    from service.accounts.commands.users import set_active

    user = asyncio.run(set_active(settings_here(), email, is_active))
    click.echo(f"{user.email} may {'' if user.is_active else 'not '}sign in", err=True)
