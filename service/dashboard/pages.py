"""The page at `/` and its files under `/dashboard`.

There is no build step: what stands in `static/` is what the browser gets. uPlot 1.6.32 (MIT) draws
the chart of time. The page asks nobody but this service; its policy forbids it.
"""

from pathlib import Path
from typing import Any

from litestar import route
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, headers_of
from service.api.guards import OPEN
from service.api.pages import file_answer, page_headers

_STATIC = Path(__file__).parent / "static"
_PAGE = _STATIC / "index.html"
_HEADERS = tuple((name.encode(), value.encode()) for name, value in page_headers().items())


def dashboard_routes() -> list[HTTPRouteHandler]:
    """The routes of the page and of each of its files."""
    files = [path for path in _STATIC.iterdir() if path.suffix != ".LICENSE" and path != _PAGE]
    return [_route("/", _PAGE), *[_route(f"/dashboard/{path.name}", path) for path in files]]


def _route(address: str, path: Path) -> HTTPRouteHandler:
    async def send_file(request: Any) -> Answer:
        return file_answer(path, headers_of(request.scope), *_HEADERS)

    described = route(
        address,
        http_method=["GET", "HEAD"],
        status_code=200,
        include_in_schema=False,
        opt={"rule": OPEN},
    )
    return described(send_file)
