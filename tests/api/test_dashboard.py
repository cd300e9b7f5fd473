"""The page's files, as the service sends them."""

import re
from pathlib import Path

import pytest
from httpx2 import Response

from service.dashboard import pages
from tests.api.edge import Edge

FILE = re.compile(r'(?:src|href)="(/dashboard/[^"]+)"')
SERVED = {
    path.name
    for path in (Path(pages.__file__).parent / "static").iterdir()
    if path.suffix not in {".LICENSE", ".html"}
}
NAMED = re.compile(r'from "\./([^"]+)"')


async def files_of(edge: Edge) -> dict[str, Response]:
    """The page and every file that it is made of, as a browser asks for them."""
    found = {"/": await edge.client.get("/")}
    wanted = set(FILE.findall(found["/"].text))
    while wanted := wanted - set(found):
        path = wanted.pop()
        found[path] = await edge.client.get(path)
        assert found[path].status_code == 200
        wanted |= {f"/dashboard/{name}" for name in NAMED.findall(found[path].text)}
        wanted |= set(FILE.findall(found["/"].text))
    return found


async def test_the_page_is_made_of_files_of_this_service_alone(edge: Edge):
    files = await files_of(edge)
    policy = files["/"].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert set(files) == {"/"} | {f"/dashboard/{name}" for name in SERVED}


async def test_a_file_that_is_known_is_not_sent_again(edge: Edge):
    first = await edge.client.get("/dashboard/main.js")
    again = await edge.client.get(
        "/dashboard/main.js", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    head = await edge.client.head("/dashboard/main.js")
    assert (head.status_code, head.content) == (200, b"")


async def test_the_whole_page_weighs_less_than_250_kb(edge: Edge):
    files = await files_of(edge)
    assert all(file.headers["content-encoding"] == "gzip" for file in files.values())
    assert sum(int(file.headers["content-length"]) for file in files.values()) < 250_000


@pytest.mark.parametrize("name", ["no.js", "uPlot.LICENSE", "..%2Fpages.py", "index.html%00"])
async def test_nothing_else_is_sent(edge: Edge, name):
    assert (await edge.client.get(f"/dashboard/{name}")).status_code == 404
