"""All of this folder is chaos; its dice are thrown anew each time and told when a test fails."""

import os
import random
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """What the test's dice start from: HEADRACE_TEST_SEED, or new; pytest shows it on failure."""
    chosen = os.environ.get("HEADRACE_TEST_SEED") or f"{random.randrange(10**9)}"
    print(f"\nHEADRACE_TEST_SEED={chosen}")  # noqa: T201
    return chosen


@pytest.fixture
def dice(seed: str) -> random.Random:
    return random.Random(seed)


@pytest.fixture
def seconds() -> float:
    """How long random faults go on: HEADRACE_TEST_CHAOS_SECONDS."""
    return float(os.environ.get("HEADRACE_TEST_CHAOS_SECONDS", "10"))
