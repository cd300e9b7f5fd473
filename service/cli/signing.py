"""`headrace signing`."""

import asyncio

import rich_click as click

from service.cli.arguments import expires, grace, of_environment, revoked_too
from service.cli.program import settings_here
from service.cli.showing import as_json, screen


@click.group()
def signing() -> None:
    """Make, list, rotate and revoke the tokens of those who sign the events they send.

    A token is for one account and one workspace, and belongs to an environment.

    \b
    For example:
      token=$(headrace signing create --account acc1 --workspace ws1)
      headrace signing list
      headrace signing revoke sgt_0123456789abcdef
    """


@signing.command("create")
@click.option("--account", required=True, help="The account that is signed for.")
@click.option("--workspace", required=True, help="The workspace that is signed for.")
@click.option("--name", default="", help="What lists show. Default: account/workspace.")
@click.option("--environment", help="Where events go: its id or name. Default: the default one.")
@click.option(
    "--scheme",
    help="The one derivation that is accepted: hkdf, hkdf-swapped or shell. Default: all of them.",
)
@click.option("--nonce", is_flag=True, help="Requests must carry a time and a nonce.")
@expires
def signing_create(
    account: str,
    workspace: str,
    name: str,
    environment: str | None,
    scheme: str | None,
    nonce: bool,
    expires: int | None,
) -> None:
    """Make a token and print it, alone, on stdout. It is shown only now.

    \b
    For example:
      token=$(headrace signing create --account acc1 --workspace ws1)
      headrace signing create --account acc1 --workspace ws1 --scheme hkdf --nonce
    """
    from service.accounts.commands.signing import create_token
    from service.accounts.signing_tokens import Wanted, scheme_called

    name, accepted = name or f"{account}/{workspace}"[:128], scheme_called(scheme)
    wanted = Wanted(account, workspace, name, accepted, nonce, expires)
    click.echo(asyncio.run(create_token(settings_here(), wanted, environment)).text)


@signing.command("list")
@revoked_too
@of_environment
@as_json
def signing_list(revoked_too: bool, environment: str | None, as_json: bool) -> None:
    """The tokens, when each was used last, and with which derivation.

    \b
    For example:
      headrace signing list
      headrace signing list --all --json
    """
    from service.accounts.commands.signing import list_tokens

    asyncio.run(list_tokens(settings_here(), environment, revoked_too, screen(as_json)))


@signing.command("rotate")
@click.argument("token_id")
@grace
def signing_rotate(token_id: str, grace: float) -> None:
    """Make a successor of a token and print it, alone, on stdout. It is shown only now.

    \b
    For example:
      token=$(headrace signing rotate sgt_0123456789abcdef --grace 7d)
    """
    from service.accounts.commands.signing import rotate_token

    new = asyncio.run(rotate_token(settings_here(), token_id, grace))
    click.echo(new.text)
    click.echo(f"{token_id} is followed by {new.token.id}", err=True)


@signing.command("revoke")
@click.argument("token_id")
def signing_revoke(token_id: str) -> None:
    """End a token for good; a running service refuses it within a second.

    \b
    For example:
      headrace signing revoke sgt_0123456789abcdef
    """
    from service.accounts.commands.signing import revoke_token

    revoked = asyncio.run(revoke_token(settings_here(), token_id))
    click.echo(f"revoked {revoked.name} ({revoked.id})", err=True)
