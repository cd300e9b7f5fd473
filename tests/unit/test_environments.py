"""Environments: the default one, and who sees its metrics."""

from pathlib import Path

import pytest

from service.accounts.environments import DEFAULT_ENVIRONMENT, Environments
from service.database import open_database, upgrade
from service.errors import AccountsUnavailable, NotFound
from service.settings import Settings


@pytest.fixture
async def environments(tmp_path: Path):
    database = open_database(Settings(data_dir=tmp_path))
    await upgrade(database)
    opened = Environments(database)
    yield opened
    await opened.close()
    await database.close()


async def test_the_default_environment_is_private_until_somebody_says_else(environments):
    assert (await environments.ensure_default()).public_metrics is False
    assert not await environments.is_public(DEFAULT_ENVIRONMENT)


async def test_public_metrics_are_those_of_the_default_environment(environments):
    await environments.ensure_default(public_metrics=True)
    assert await environments.is_public(DEFAULT_ENVIRONMENT)
    assert not await environments.is_public("env_other")


async def test_who_sees_the_metrics_changes_only_when_it_is_said(environments):
    made = await environments.ensure_default(public_metrics=True)
    assert await environments.ensure_default() == made
    assert not (await environments.ensure_default(public_metrics=False)).public_metrics


async def test_an_environment_that_does_not_exist_is_not_found(environments):
    with pytest.raises(NotFound, match="env_other"):
        await environments.find("env_other")


async def test_an_environment_keeps_its_events_for_ever_until_somebody_says_else(environments):
    assert (await environments.ensure_default()).retention_days is None
    assert await environments.days_kept() == {}
    await environments.set_retention(DEFAULT_ENVIRONMENT, 30)
    assert await environments.days_kept() == {DEFAULT_ENVIRONMENT: 30}
    assert [e.retention_days for e in await environments.list()] == [30]
    await environments.set_retention(DEFAULT_ENVIRONMENT, None)
    assert await environments.days_kept() == {}


async def test_only_an_environment_that_exists_can_keep_something(environments):
    with pytest.raises(NotFound, match="env_other"):
        await environments.set_retention("env_other", 1)


async def test_how_long_events_are_kept_is_not_guessed_when_nobody_answers(tmp_path: Path):
    database = open_database(Settings(data_dir=tmp_path))
    with pytest.raises(AccountsUnavailable, match="no such table"):
        await Environments(database).days_kept()
    await database.close()
