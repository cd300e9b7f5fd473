"""How often an address may call `/api/auth/…`, and whose address it is."""

from ipaddress import ip_network

import pytest

from service.api.addresses import address_of
from service.limits import LocalLimits
from tests.api.edge import Edge, running
from tests.api.test_rules import RULES, call

COUNTED = [route for route, rule in RULES.items() if rule.counted]
OURS = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(("method", "path"), COUNTED)
async def test_the_101st_call_of_a_minute_is_refused_whatever_it_asks(method: str, path: str):
    now = [0.0]
    limits = LocalLimits(clock=lambda: now[0])
    async with running(limits=limits) as edge:
        first = [await call(edge, method, path, {}) for _ in range(100)]
        now[0] = 20.0
        last = await call(edge, method, path, {})
        now[0] = 60.0
        later = await call(edge, method, path, {})
    assert {answer.status_code for answer in first} <= {400, 401, 415, 422}
    assert (last.status_code, last.headers["retry-after"]) == (429, "40")
    assert later.status_code == first[0].status_code


async def test_the_refusal_has_the_faces_form(edge: Edge):
    for _ in range(100):
        await edge.client.get("/api/auth/me")
    answer = await edge.client.get("/api/auth/me")
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("RATE_LIMITED", {})
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_all_of_auth_is_counted_and_nothing_else():
    assert {path for _, path in COUNTED} == {
        path for _, path in RULES if path.startswith("/api/auth/")
    }


def address(nearest: str, forwarded: str = "") -> str:
    headers = {b"x-forwarded-for": forwarded.encode()} if forwarded else {}
    return address_of({"client": (nearest, 1)}, headers, OURS)


@pytest.mark.parametrize(
    ("nearest", "forwarded", "counts"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "unknown"),
        ("fd00::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "", "198.51.100.7"),
    ],
)
def test_the_nearest_address_that_is_no_proxy_of_ours_counts(nearest, forwarded, counts):
    assert address(nearest, forwarded) == counts
