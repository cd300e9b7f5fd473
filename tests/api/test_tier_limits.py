"""How often a caller may ask, by his tier: which routes count, and what each answer tells."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from service.accounts.principals import Principal
from service.api.rate_limits import NO_LIMIT
from service.errors import AnalyticsUnavailable
from service.limits import LocalLimits
from tests.api.edge import TENANT, Edge, Environments, Keys, Questions, running
from tests.api.test_rules import RULES
from tests.signing import opened_accounts

NUMBERS = "/api/v1/analytics/numbers?name=x"
OF_THE_SEED = {
    "/api/v1/events",
    "/api/v1/events/batch",
    "/api/v1/events/stats",
    "/api/v1/analytics/metrics",
}
TOLD = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
ALSO_TOLD = {"ratelimit", "ratelimit-policy"}


DROP_INS = ("/batch", "/capture", "/i/v0/e")


def is_ours(path: str) -> bool:
    return path.startswith(("/api/v1/", "/v1/", *DROP_INS)) and path not in OF_THE_SEED


@pytest.mark.parametrize(("method", "path"), RULES)
def test_routes_of_ours_and_of_thedata_are_limited_by_tier_and_no_others(method: str, path: str):
    assert RULES[method, path].tiered == is_ours(path)


class TieredKeys(Keys):
    """Keys named after their tier: `free`, `pro-2`."""

    async def verify(self, text: str) -> Principal:
        if text.startswith("evp_"):
            return await super().verify(text)
        scopes = frozenset({"ingest", "read", "admin"})
        return Principal(TENANT, scopes, text, text, text.partition("-")[0])


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with running(keys=TieredKeys(), free_per_minute=3) as edge:
        yield edge


async def ask(edge: Edge, key: str = "free", path: str = NUMBERS, **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await edge.client.get(path, headers={"x-api-key": key, **named})


def told(answer: httpx2.Response) -> set[str]:
    return {name for name in answer.headers if "ratelimit" in name}


async def test_each_answer_tells_where_its_caller_stands(edge: Edge):
    answers = [await ask(edge) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}
    resets = [int(answer.headers["x-ratelimit-reset"]) - time.time() for answer in answers]
    assert all(0 < reset <= 61 for reset in resets)


async def test_it_is_told_as_the_ietf_has_it_too(edge: Edge):
    answer = await ask(edge)
    assert answer.headers["ratelimit-policy"] == '"free";q=3;w=60'
    assert re.fullmatch(r'"free";r=2;t=\d\d', answer.headers["ratelimit"])


async def test_the_refusal_has_the_faces_form_and_says_when_to_come_again():
    now = [0.0]
    limits = LocalLimits(clock=lambda: now[0])
    async with running(keys=TieredKeys(), limits=limits) as edge:
        for _ in range(100):
            await ask(edge)
        now[0] = 20.0
        refused = await ask(edge)
        assert refused.json()["error"]["code"] == "RATE_LIMITED"
        assert refused.headers["retry-after"] == "40"
        assert refused.headers["ratelimit"] == '"free";r=0;t=40'
        now[0] = 60.0
        assert (await ask(edge)).status_code == 200


async def test_each_key_is_counted_apart_within_its_tier(edge: Edge):
    for _ in range(4):
        await ask(edge, "free")
    left = {key: (await ask(edge, key)).headers["x-ratelimit-remaining"] for key in KEYS}
    assert left == {"free-2": "2", "basic": "999", "pro": "9999"}


KEYS = ("free-2", "basic", "pro")


async def test_whoever_has_no_good_credential_is_counted_by_address_as_free(edge: Edge):
    anonymous = await edge.client.get(NUMBERS)
    stranger = await ask(edge, "evp_unknown")
    assert (anonymous.status_code, stranger.status_code) == (200, 401)
    assert stranger.headers["x-ratelimit-remaining"] == "1"


async def test_where_there_is_no_limit_a_large_number_is_told_and_no_policy(edge: Edge):
    answer = await ask(edge, "enterprise")
    assert told(answer) == TOLD
    assert answer.headers["x-ratelimit-limit"] == str(NO_LIMIT)
    assert answer.headers["x-ratelimit-remaining"] == str(NO_LIMIT)
    assert int(answer.headers["x-ratelimit-reset"]) <= time.time() + 1


async def test_an_enterprise_may_be_given_a_limit():
    async with running(keys=TieredKeys(), enterprise_per_minute=7) as edge:
        assert (await ask(edge, "enterprise")).headers["x-ratelimit-limit"] == "7"


async def test_routes_limited_by_address_tell_that_limit(edge: Edge):
    answer = await ask(edge, "enterprise", "/api/auth/me")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (401, "99")
    assert answer.headers["ratelimit-policy"] == '"auth";q=100;w=60'


@pytest.mark.parametrize("path", sorted(OF_THE_SEED | {"/api/health"}))
async def test_answers_of_other_routes_tell_nothing_of_limits(edge: Edge, path: str):
    for _ in range(5):
        answer = await ask(edge, path=path)
    assert (told(answer), answer.status_code == 429) == (set(), False)


async def test_an_answer_tells_it_whatever_its_status():
    parts = {"keys": TieredKeys(), "environments": Environments(None)}
    async with running(**parts) as edge:
        etag = (await ask(edge)).headers["etag"]
        answers = {
            304: await ask(edge, if_none_match=etag),
            400: await ask(edge, path="/api/v1/analytics/numbers?unknown=1"),
            401: await edge.client.get(NUMBERS),
            403: await ask(edge, "evp_in"),
            404: await ask(edge, path="/api/v1/receipts/none"),
        }
    assert {status: a.status_code for status, a in answers.items()} == {s: s for s in answers}
    assert all(told(answer) >= TOLD for answer in answers.values())


@pytest.mark.parametrize(
    ("error", "status"), [(AnalyticsUnavailable("away"), 503), (ZeroDivisionError("secret"), 500)]
)
async def test_an_answer_tells_it_also_when_the_service_fails(error: Exception, status: int):
    with capture_logs():
        async with running(keys=TieredKeys(), questions=Questions(error=error)) as edge:
            answer = await ask(edge)
    assert (answer.status_code, told(answer)) == (status, TOLD | ALSO_TOLD)
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/api/v1/analytics/numbers/?name=x", "/api/v1/receipts/none"])
async def test_the_frameworks_way_to_a_handler_is_limited_too(edge: Edge, path: str):
    answers = [await ask(edge, path=path) for _ in range(4)]
    assert answers[0].headers["x-ratelimit-remaining"] == "2"
    assert (answers[3].status_code, answers[3].json()["error"]["code"]) == (429, "RATE_LIMITED")


async def test_head_tells_what_get_tells(edge: Edge):
    answer = await edge.client.head(NUMBERS, headers={"x-api-key": "free"})
    assert (answer.status_code, told(answer)) == (200, TOLD | ALSO_TOLD)


async def test_a_user_is_counted_over_all_his_sessions(tmp_path: Path):
    async with opened_accounts(tmp_path) as accounts:
        await accounts.token("ada@example.com")
        tokens = [await accounts.token("bob@example.com") for _ in range(2)]
        async with running(**vars(accounts)) as edge:
            for token in tokens:
                answer = await edge.client.get(
                    NUMBERS, headers={"authorization": f"Bearer {token}"}
                )
    assert answer.headers["ratelimit"].startswith('"free";r=98;')
