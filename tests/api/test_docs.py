"""The OpenAPI document and its page."""

import re

import pytest

from service.app import create_app
from service.query import catalog
from tests.api.edge import Edge, parts_of

FACE = {
    ("/api/v1/events", "post"),
    ("/api/v1/events/batch", "post"),
    ("/api/v1/events/stats", "get"),
    ("/api/v1/analytics/metrics", "get"),
    ("/api/v1/analytics/numbers", "get"),
    ("/api/v1/analytics/query", "post"),
    ("/api/v1/analytics/funnel", "post"),
    ("/api/v1/receipts/{receipt}", "get"),
    ("/api/auth/request-code", "post"),
    ("/api/auth/verify", "post"),
    ("/api/auth/me", "get"),
    ("/api/auth/logout", "post"),
    ("/api/auth/api-key", "post"),
    ("/api/auth/api-key", "get"),
    ("/api/auth/api-key/{key_id}", "delete"),
    ("/api/health", "get"),
    ("/api/ready", "get"),
    ("/api/live", "get"),
}


WITHOUT_BODY = {
    "/api/v1/analytics/live/ticket",
    "/api/auth/logout",
    "/api/auth/jwt/logout",
    "/flags",
    "/decide",
}
"""Of the paths that take POST."""
ORDERS = ("/start", "/stop", "/pause", "/restart", "/resume", "/sync")
"""How paths end that have nothing said beside them."""


async def test_the_page_asks_nobody_else_for_anything(edge: Edge):
    page = await edge.client.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 4
    for path in named:
        assert path.startswith("/docs/")
        assert (await edge.client.get(path)).status_code == 200


async def test_the_pages_own_script_names_no_other_host(edge: Edge):
    script = (await edge.client.get("/docs/swagger-ui-start.js")).text
    assert "://" not in script
    assert "validatorUrl: null" in script


async def test_the_document_has_every_route_of_the_face(edge: Edge):
    document = (await edge.client.get("/docs/openapi.json")).json()
    found = {(path, method) for path, item in document["paths"].items() for method in item}
    assert found >= FACE


def test_every_route_says_what_it_takes_and_gives():
    document = create_app(parts_of()).openapi_schema.to_schema()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], path
            good = [r for s, r in operation["responses"].items() if s < "300" and s != "204"]
            assert all("schema" in kind for r in good for kind in r["content"].values()), path
            is_order = path in WITHOUT_BODY or path.endswith(ORDERS)
            takes = method in {"post", "put", "patch"} and not is_order
            assert path.startswith("/-/") or ("requestBody" in operation) == takes, path


@pytest.mark.parametrize("question", ["metrics", "numbers"])
def test_every_parameter_of_a_question_is_described(question: str):
    document = create_app(parts_of()).openapi_schema.to_schema()
    operation = document["paths"][f"/api/v1/analytics/{question}"]["get"]
    described = {parameter["name"] for parameter in operation["parameters"]}
    assert described == {*getattr(catalog, question.upper()), "after", "If-None-Match"}


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/events/batch"])
async def test_the_examples_of_the_document_are_taken_in(edge: Edge, path: str):
    document = (await edge.client.get("/docs/openapi.json")).json()
    example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    answer = await edge.client.post(path, json=example["example"], headers={"x-api-key": "evp_in"})
    assert answer.status_code == 202
