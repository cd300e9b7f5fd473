"""Two tenants never meet, whatever they send, ask, listen to and name alike, in whatever order."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from service.app import create_app
from service.bootstrap import Service
from service.query.cache import AnswerCache
from service.query.share import Share
from service.telemetry import registry
from tests.api.callers import PROXY
from tests.api.edge import parts_of
from tests.flows.tenants import careless
from tests.flows.tenants.side import Side
from tests.flows.tenants.stories import STEPS, act, doors, everything
from tests.servers import Server, url_of_valkey
from tests.whole import Whole, the_whole_service

CASES = int(os.environ.get("HEADRACE_TEST_CASES", "5"))
"""How many stories of two tenants are made up."""

NOBODY_S = {
    "says nothing of anybody's events": [
        "GET /api/health", "GET /api/ready", "GET /api/live", "GET /v1/health",
        "GET /apigw/ingest/datapipeline/health", "GET /-/metrics",
    ],
    "comes before anybody is known": [
        "POST /api/auth/register", "POST /api/auth/jwt/login", "POST /api/auth/forgot-password",
        "POST /api/auth/reset-password", "POST /api/auth/request-code", "POST /api/auth/verify",
    ],
    "is about himself alone, and names nobody": ["POST /api/users/me/change-password"],
    "keeps and finds nothing": [
        "POST /api/smt/process_mapper", "POST /api/envs/check-byok-credentials",
        "POST /flags", "POST /decide",
    ],
    "is for superusers, and of the whole installation": [
        "GET /api/users/export-all", "POST /api/users/import-all",
    ],
    "is for the operator, and of the whole installation": [
        "GET /-/verify", "GET /-/dead-letters", "POST /-/dead-letters/{number}/replay",
        "DELETE /-/dead-letters/{number}", "GET /-/condition", "POST /-/still",
        "GET /-/export", "GET /-/export/rows", "GET /-/export/sums", "POST /-/import",
    ],
}  # fmt: skip
"""Operations that no tenant does with what is his, by the reason."""


@contextmanager
def start(folder: Path, **options: Any) -> Iterator[Whole]:
    """A service with an operator, who is none of the two, where nobody waits for more calls."""
    often = {"free_per_minute": 10_000, "signed_per_second": 1_000}
    options = {"trusted_proxies": PROXY, "group_seconds": 0.0, **often, **options}
    with the_whole_service(folder / "data", **options) as whole:
        whole.run(whole.accounts.token("operator@example.com"))
        yield whole


def never_meet(whole: Whole, cases: int = CASES) -> None:
    @given(steps=STEPS)
    @settings(max_examples=cases, phases=[Phase.generate])
    def draw(steps: Any) -> None:
        act(whole, steps)

    draw()


def test_two_tenants_who_do_the_same_never_meet(tmp_path: Path):
    with start(tmp_path) as whole:
        never_meet(whole)


def test_nor_do_they_on_clickhouse(tmp_path: Path):
    with start(tmp_path, clickhouse_url=f"chdb://{tmp_path / 'clickhouse'}") as whole:
        never_meet(whole, cases=max(2, CASES // 5))


def test_nor_do_they_whatever_there_is_to_be_done(tmp_path: Path):
    """A new route is to be taken into the stories, or into the list of those that are nobody's."""
    with start(tmp_path) as whole:
        touched = {call for side in act(whole, everything()) for call in operations_of(side)}
    beside = {operation for named in NOBODY_S.values() for operation in named}
    assert {"forgotten": DOCUMENTED - touched - beside, "listed in vain": beside & touched} == {
        "forgotten": set(),
        "listed in vain": set(),
    }
    assert beside < DOCUMENTED


PATHS = create_app(parts_of(prometheus_enabled=True)).openapi_schema.to_schema()["paths"]
DOCUMENTED = {
    f"{method.upper()} {path}"
    for path, ways in PATHS.items()
    for method in ways.keys() & {"get", "post", "put", "patch", "delete"}
}


def operations_of(side: Side) -> Iterator[str]:
    """Those of the document that he has called."""
    for method, path in side.touched:
        fit = [p for p in PATHS if re.fullmatch(re.sub(r"{\w+}", "[^/]+", p), path)]
        yield f"{method} {min(fit, key=lambda template: template.count('{'))}"


class TwoProcesses:
    """Questions that one process answers, then another, each with a memory of its own."""

    def __init__(self, parts: Service) -> None:
        shares = [Share(parts.shared, parts.settings.cache_seconds) for _ in range(2)]
        caches = [AnswerCache(10, share=share) for share in shares]
        self._turns = cycle([careless.questions_of(parts, cache) for cache in caches])

    def __getattr__(self, name: str) -> Any:
        return getattr(next(self._turns), name)


def test_nor_do_they_where_processes_share_answers_and_limits(tmp_path: Path, valkey: Server):
    def shared(parts: Service) -> Service:
        return replace(parts, questions=TwoProcesses(parts))

    before = taken_over()
    with start(tmp_path, change=shared, redis_url=url_of_valkey(valkey)) as whole:
        never_meet(whole, cases=max(2, CASES // 2))
    assert taken_over() > before


def taken_over() -> float:
    """Answers that a process had from another."""
    name, labels = "headrace_cache_answers_total", {"source": "elsewhere"}
    return registry.get_sample_value(name, labels) or 0


@pytest.mark.parametrize(("change", "step"), careless.FOUND_BY.items())
def test_a_part_that_forgets_the_tenant_is_found_out(
    change: Callable[[Service], Service], step: str, tmp_path: Path
):
    with start(tmp_path, change=change) as whole, pytest.raises(AssertionError) as found:
        act(whole, doors())
    assert step in {entry.name for entry in found.traceback}
