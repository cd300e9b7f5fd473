"""Two tenants never meet, whatever they send, ask and name alike, in whatever order."""

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from service.bootstrap import Service
from service.ingest import Ingest
from service.query.cache import AnswerCache, Served
from service.query.run import Questions
from service.query.share import Share
from service.receipts import Receipts
from service.telemetry import registry
from tests.api.callers import PROXY
from tests.flows.tenants import STEPS, act
from tests.servers import Server, url_of_valkey
from tests.whole import Whole, the_whole_service

CASES = int(os.environ.get("HEADRACE_TEST_CASES", "10"))
"""How many stories of two tenants are made up."""


def start(folder: Path, **options: Any):
    """Nobody waits for a minute to be over."""
    return the_whole_service(
        folder / "data", trusted_proxies=PROXY, free_per_minute=0, group_seconds=0.0, **options
    )


def never_meet(whole: Whole, cases: int = CASES) -> None:
    @given(steps=STEPS)
    @settings(
        max_examples=cases,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def draw(steps: Any) -> None:
        act(whole, steps)

    draw()


def test_two_tenants_who_do_the_same_never_meet(tmp_path: Path):
    with start(tmp_path) as whole:
        never_meet(whole)


def test_nor_do_they_on_clickhouse(tmp_path: Path):
    with start(tmp_path, clickhouse_url=f"chdb://{tmp_path / 'clickhouse'}") as whole:
        never_meet(whole, cases=max(2, CASES // 5))


class TwoProcesses:
    """Questions that one process answers, then another, each with a memory of its own."""

    def __init__(self, parts: Service) -> None:
        shares = [Share(parts.shared, parts.settings.cache_seconds) for _ in range(2)]
        self._turns = cycle([questions_of(parts, AnswerCache(10, share=s)) for s in shares])

    def __getattr__(self, name: str) -> Any:
        return getattr(next(self._turns), name)


def questions_of(parts: Service, cache: AnswerCache) -> Questions:
    return Questions(parts.store, parts.stream, cache, parts.settings, parts.mark)


def test_nor_do_they_where_processes_share_answers_and_limits(tmp_path: Path, valkey: Server):
    def shared(parts: Service) -> Service:
        return replace(parts, questions=TwoProcesses(parts))

    before = taken_over()
    with start(tmp_path, change=shared, redis_url=url_of_valkey(valkey)) as whole:
        never_meet(whole)
    assert taken_over() > before


def taken_over() -> float:
    """Answers that a process had from another."""
    name, labels = "headrace_cache_answers_total", {"source": "elsewhere"}
    return registry.get_sample_value(name, labels) or 0


class NoTenantInItsKeys(AnswerCache):
    """Keeps one answer, whoever asks."""

    async def answer(self, key: bytes, *rest: Any) -> Served:
        return await super().answer(b"the same for all", *rest)


class NoTenantInItsSeals(Receipts):
    """Issues receipts that are good for everybody."""

    def _seal(self, tenant: str, place: bytes) -> bytes:
        return super()._seal("", place)


def with_a_careless_cache(parts: Service) -> Service:
    return replace(parts, questions=questions_of(parts, NoTenantInItsKeys(10)))


def with_careless_receipts(parts: Service) -> Service:
    receipts = NoTenantInItsSeals(b"secret")
    return replace(
        parts, receipts=receipts, ingest=Ingest(parts.ingest._publisher, receipts, parts.settings)
    )


@pytest.mark.parametrize("careless", [with_a_careless_cache, with_careless_receipts])
def test_a_part_that_forgets_the_tenant_is_found_out(
    careless: Callable[[Service], Service], tmp_path: Path
):
    with start(tmp_path, change=careless) as whole, pytest.raises(AssertionError):
        never_meet(whole)
