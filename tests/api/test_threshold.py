"""Which hosts are answered for, and which pages may call from a browser."""

import pytest

from tests.api.edge import KEY, Edge, running

LIVE = "/api/live"
PAGE = "https://app.example.com"
ASKS = {"origin": PAGE, "access-control-request-method": "POST"}
PATHS = [LIVE, "/api/live/", "/nowhere", "/api/v1/receipts/none", "/docs"]
"""Answered directly, by Litestar, by nobody."""


def cors_of(answer) -> dict[str, str]:
    return {n: v for n, v in answer.headers.items() if n.startswith("access-control")}


@pytest.mark.parametrize("path", PATHS)
async def test_without_origins_no_page_is_let_in(edge: Edge, path: str):
    answer = await edge.client.get(path, headers={"origin": PAGE})
    assert cors_of(answer) == {}


async def test_a_page_of_an_origin_may_read_the_answer_and_what_limits_say():
    async with running(cors_origins=f"https://other.example.com, {PAGE}") as edge:
        for path in PATHS:
            answer = await edge.client.get(path, headers={"origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == PAGE, path
            exposed = answer.headers["access-control-expose-headers"].split(", ")
            assert {"retry-after", "etag", "x-ratelimit-remaining", "ratelimit"} <= set(exposed)
            assert "origin" in answer.headers["vary"]


async def test_what_is_refused_may_be_read_too():
    async with running(cors_origins=PAGE) as edge:
        answer = await edge.client.post("/api/v1/events", headers={"origin": PAGE})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("origin", ["https://evil.example.com", f"{PAGE}.evil.com", "null", ""])
async def test_a_page_elsewhere_may_read_nothing(origin: str):
    async with running(cors_origins=PAGE) as edge:
        answer = await edge.client.get(LIVE, headers={"origin": origin})
        assert (answer.status_code, cors_of(answer)) == (200, {})
        assert "origin" in answer.headers["vary"]
        asked = await edge.client.options(LIVE, headers={**ASKS, "origin": origin})
        assert (asked.status_code, cors_of(asked)) == (403, {})


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_told_beforehand_what_it_may_send(path: str):
    async with running(cors_origins=PAGE) as edge:
        asked = await edge.client.options(path, headers=ASKS)
        assert (asked.status_code, asked.content) == (204, b"")
        assert "DELETE" in asked.headers["access-control-allow-methods"]
        allowed = asked.headers["access-control-allow-headers"].split(", ")
        assert {"x-api-key", "authorization", "content-type", "content-digest"} <= set(allowed)
        assert "access-control-allow-credentials" not in asked.headers


async def test_options_that_is_no_such_question_is_routed_as_ever():
    async with running(cors_origins=PAGE) as edge:
        answer = await edge.client.options("/api/v1/events")
        assert "POST" in answer.headers["allow"]


async def test_every_page_may_call_where_all_may():
    async with running(cors_origins="*") as edge:
        answer = await edge.client.get(LIVE, headers={"origin": "https://anywhere.org"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert (await edge.client.options(LIVE, headers=ASKS)).status_code == 204


async def named(edge: Edge, host: str) -> int:
    return (await edge.client.get(LIVE, headers={"host": host})).status_code


async def test_on_loopback_only_its_own_names_are_answered_for(edge: Edge):
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1", "localhost."):
        assert await named(edge, host) == 200, host
    for host in ("evil.example.com", "127.0.0.1.evil.com", "", "localhost.evil.com:8000"):
        assert await named(edge, host) == 421, host


@pytest.mark.parametrize("path", PATHS)
async def test_another_host_is_refused_in_the_faces_form_whatever_is_asked(edge: Edge, path: str):
    answer = await edge.client.get(path, headers={"host": "evil.example.com", **KEY})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "WRONG_HOST")


async def test_allowed_hosts_are_those_of_the_setting():
    async with running(allowed_hosts="api.example.com, *.example.org") as edge:
        for host in ("api.example.com", "API.example.com:443", "a.example.org"):
            assert await named(edge, host) == 200, host
        for host in ("example.com", "x.api.example.com", "example.org", "a.b.example.org"):
            assert await named(edge, host) == 421, host


@pytest.mark.parametrize("changes", [{"host": "0.0.0.0"}, {"trusted_proxies": "127.0.0.1"}])
async def test_elsewhere_and_behind_a_proxy_any_host_will_do(changes: dict[str, str]):
    async with running(**changes) as edge:
        assert await named(edge, "api.example.com") == 200


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_to_be_taken_for_another_type_than_it_says(edge: Edge, path: str):
    assert (await edge.client.get(path)).headers["x-content-type-options"] == "nosniff"
    assert b"x-content-type-options: nosniff" in await edge.raw(b"no HTTP\r\n\r\n")


@pytest.mark.parametrize("path", ["/docs", "/docs/openapi.json"])
async def test_the_page_keeps_to_itself(edge: Edge, path: str):
    headers = (await edge.client.get(path)).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers
