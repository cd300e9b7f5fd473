"""`headrace envs`: environments as the operator makes and sets them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from service.accounts import governing
from service.accounts.addresses import account_of
from service.accounts.commands.opened import opened_accounts, operator
from service.accounts.commands.shown import Screen, day
from service.accounts.environments import Environment, Environments
from service.settings import Settings


async def list_environments(settings: Settings, screen: Screen) -> None:
    """Show all environments, oldest first."""
    async with opened_accounts(settings) as database:
        screen.show(await Environments(database).list(), _COLUMNS)


async def show_environment(settings: Settings, called: str, screen: Screen) -> None:
    """Show one environment; raises NotFound."""
    async with opened_accounts(settings) as database:
        screen.show([await governing.environment_called(database, called)], _COLUMNS)


async def create_environment(
    settings: Settings, name: str, owner: str | None, tier: str
) -> Environment:
    """Make an environment. Raises InvalidInput, NotFound, Conflict as `make_environment` does."""
    address = None if owner is None else account_of(owner)
    async with opened_accounts(settings) as database:
        return await governing.make_environment(database, name, address, tier, operator())


async def set_tier(settings: Settings, called: str, tier: str) -> str:
    """Give an environment another tier; what that means, in a sentence. Raises NotFound."""
    async with opened_accounts(settings) as database:
        environment = await governing.environment_called(database, called)
        lowered = await governing.set_tier(database, environment.id, tier, operator())
    keys = f"; so have {lowered} of its keys that had a larger one" if lowered else ""
    return f"{environment.id} has the tier {tier}{keys}"


async def set_public(settings: Settings, called: str, public: bool) -> str:
    """Say who sees an environment's metrics; what that means, in a sentence.

    Raises NotFound, Conflict for the default environment.
    """
    async with opened_accounts(settings) as database:
        environment = await governing.environment_called(database, called)
        await governing.set_public(database, environment.id, public, operator())
    who = "anybody sees" if public else "only who belongs to it sees"
    return f"{who} the metrics of {environment.id}"


async def set_retention(settings: Settings, called: str, days: int | None) -> str:
    """Have an environment keep so many days, or for ever; what that means, in a sentence or two.

    Raises NotFound when there is no such environment.
    """
    async with opened_accounts(settings) as database:
        found = await governing.environment_called(database, called)
        environment = await Environments(database).set_retention(found.id, days, operator())
    said = f"{environment.id} keeps its events {_kept(environment)}"
    if days is None:
        return f"{said}; nothing more is deleted"
    first = datetime.now(UTC).date() - timedelta(days=days)
    return (
        f"{said} of their own time: those from before {first} (UTC) are deleted for good within "
        "a minute by the service that writes, or when it starts; one more day at each midnight"
    )


def _kept(environment: Environment) -> str:
    days = environment.days_kept
    return "for ever" if days is None else f"for {days} day{'' if days == 1 else 's'}"


_COLUMNS: Mapping[str, Callable[[Environment], str]] = {
    "id": lambda environment: environment.id,
    "name": lambda environment: environment.name,
    "tier": lambda environment: environment.tier,
    "created": lambda environment: day(environment.created_at),
    "keeps its events": _kept,
    "metrics": lambda environment: "public" if environment.public_metrics else "private",
}
