"""The page's files, as the service sends them."""

import gzip
import re

import pytest

from tests.api.edge import Edge

FILE = re.compile(r'(?:src|href)="(/dashboard/[^"]+)"')
NAMED = re.compile(r'from "\./([^"]+)"')


async def test_the_page_is_made_of_files_of_this_service_alone(edge: Edge):
    page = await edge.client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    wanted, seen = set(FILE.findall(page.text)), set()
    while wanted - seen:
        path = (wanted - seen).pop()
        seen.add(path)
        file = await edge.client.get(path)
        assert file.status_code == 200
        wanted |= {f"/dashboard/{name}" for name in NAMED.findall(file.text)}
    assert "/dashboard/words.js" in seen


async def test_a_file_that_is_known_is_not_sent_again(edge: Edge):
    first = await edge.client.get("/dashboard/main.js")
    again = await edge.client.get(
        "/dashboard/main.js", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    head = await edge.client.head("/dashboard/main.js")
    assert (head.status_code, head.content) == (200, b"")


async def test_the_whole_page_weighs_less_than_250_kb(edge: Edge):
    names = (
        "uPlot.iife.min.js",
        "uPlot.min.css",
        "dashboard.css",
        "main.js",
        "chart.js",
        "panels.js",
    )
    files = [await edge.client.get(f"/dashboard/{name}") for name in names]
    assert all(file.headers["content-encoding"] == "gzip" for file in files)
    assert sum(len(gzip.compress(file.content)) for file in files) < 250_000


@pytest.mark.parametrize("name", ["no.js", "uPlot.LICENSE", "..%2Fpages.py", "index.html%00"])
async def test_nothing_else_is_sent(edge: Edge, name):
    assert (await edge.client.get(f"/dashboard/{name}")).status_code == 404
