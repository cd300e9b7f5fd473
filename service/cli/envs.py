"""`headrace envs`."""

import asyncio

import rich_click as click

from service.accounts.tiers import FREE, TIERS
from service.cli.program import settings_here
from service.cli.showing import as_json, screen


@click.group()
def envs() -> None:
    """List, make and set environments, also while the service runs.

    An environment is named by its id or by its name.

    \b
    For example:
      headrace envs list
      headrace envs create production --owner ada@example.com --tier pro
      headrace envs retention production --days 30
    """


@envs.command("list")
@as_json
def envs_list(as_json: bool) -> None:
    """The environments: tier, how long each keeps its events, who sees its metrics.

    \b
    For example:
      headrace envs list
      headrace envs list --json
    """
    from service.accounts.commands.environments import list_environments

    asyncio.run(list_environments(settings_here(), screen(as_json)))


@envs.command("show")
@click.argument("environment")
@as_json
def envs_show(environment: str, as_json: bool) -> None:
    """One environment.

    \b
    For example:
      headrace envs show production
    """
    from service.accounts.commands.environments import show_environment

    asyncio.run(show_environment(settings_here(), environment, screen(as_json)))


@envs.command("create")
@click.argument("name")
@click.option("--owner", help="E-mail address of the user who shall own it.")
@click.option(
    "--tier",
    type=click.Choice(TIERS),
    default=FREE,
    show_default=True,
    help="How often its keys may ask; see docs/api-accounts.md.",
)
def envs_create(name: str, owner: str | None, tier: str) -> None:
    """Make an environment and print its id, alone, on stdout.

    \b
    For example:
      headrace envs create staging
      id=$(headrace envs create production --owner ada@example.com --tier pro)
    """
    from service.accounts.commands.environments import create_environment

    click.echo(asyncio.run(create_environment(settings_here(), name, owner, tier)).id)


@envs.command("tier")
@click.argument("environment")
@click.argument("tier", type=click.Choice(TIERS))
def envs_tier(environment: str, tier: str) -> None:
    """Give an environment another tier; a running service heeds it within a second.

    Keys that had a larger one get this one. Keys with a smaller one keep theirs.

    \b
    For example:
      headrace envs tier production enterprise
      headrace envs tier env_default basic
    """
    from service.accounts.commands.environments import set_tier

    click.echo(asyncio.run(set_tier(settings_here(), environment, tier)))


@envs.command("retention")
@click.argument("environment")
@click.option("--days", type=click.IntRange(1, 36_500), help="Keep today and this many days back.")
@click.option("--for-ever", is_flag=True, help="Delete nothing more; the default.")
def envs_retention(environment: str, days: int | None, for_ever: bool) -> None:
    """Keep an environment's events for some days of their own time, or for ever.

    Whole days (UTC) are deleted, rows and counts alike, once they are older than that: a minute
    after this command, then at each midnight. What is deleted does not come back; within that
    minute --for-ever takes the command back. An event that comes later than the days kept is
    accepted and deleted like the rest.

    \b
    For example:
      headrace envs retention env_default --days 30
      headrace envs retention env_default --for-ever
    """
    from service.accounts.commands.environments import set_retention

    if (days is None) != for_ever:
        raise click.UsageError("say either --days N or --for-ever")
    click.echo(asyncio.run(set_retention(settings_here(), environment, days)))


@envs.command("public")
@click.argument("environment")
@click.argument("who", type=click.Choice(["yes", "no"]))
def envs_public(environment: str, who: str) -> None:
    """Let anybody see an environment's metrics (yes), or only who belongs to it (no).

    Of the default environment HEADRACE_PUBLIC_METRICS says it.

    \b
    For example:
      headrace envs public status-page yes
      headrace envs public status-page no
    """
    from service.accounts.commands.environments import set_public

    click.echo(asyncio.run(set_public(settings_here(), environment, who == "yes")))
