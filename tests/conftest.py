"""What every folder of tests may use."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.running import RunningService
from tests.servers import Postgres, Server, a_postgres, a_valkey

settings.register_profile(
    "same", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
settings.register_profile("other", settings.get_profile("same"), derandomize=False)
settings.load_profile(os.environ.get("HEADRACE_TEST_STORIES", "same"))
"""The stories that hypothesis tells are the same ones in each run; `make fuzz` tells others."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "chaos: something is killed, filled up or turned back")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What all tests have in common stays: nobody looks for cycles in it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


_exit_status = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_exit_status] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End with pytest's summary: at a usual exit DuckDB's binding lists what it takes for leaks."""
    if (status := config.stash.get(_exit_status, None)) is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Whatever a file of tests forgot to close is found at its end, not during another one's."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that all tests share: use ids of your own, and leave it running."""
    service = RunningService(tmp_path_factory.mktemp("running") / "data")
    try:
        yield service.start()
    finally:
        service.clean_up()


@pytest.fixture
def new_service(tmp_path: Path) -> Iterator[Callable[..., RunningService]]:
    """Makes services of the test's own, not started yet; whatever is left of them is ended."""
    made: list[RunningService] = []

    def make(**options: Any) -> RunningService:
        made.append(RunningService(tmp_path / f"data{len(made)}", **options))
        return made[-1]

    yield make
    for service in made:
        service.clean_up()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that all tests share: take a new database each."""
    with a_postgres() as server:
        yield server


@pytest.fixture
def valkey() -> Iterator[Server]:
    """A Valkey of the test's own, to be killed and frozen at will."""
    with a_valkey() as server:
        yield server
