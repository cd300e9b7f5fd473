"""The page at `/` and its files under `/dashboard`.

There is no build step: what stands in `static/` is what the browser gets. uPlot 1.6.32 (MIT) draws
the chart of time. The page asks nobody but this service; its policy forbids it.
"""

from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, route
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, headers_of
from service.api.guards import OPEN
from service.api.pages import file_answer, page_headers
from service.errors import NotFound

_STATIC = Path(__file__).parent / "static"
_HEADERS = tuple((name.encode(), value.encode()) for name, value in page_headers().items())


def dashboard_routes() -> list[HTTPRouteHandler]:
    """The routes of the page and of its files."""
    return [_route("/", _send_page), _route("/dashboard/{name:str}", _send_file)]


def _route(path: str, handler: Any) -> HTTPRouteHandler:
    described = route(
        path,
        http_method=["GET", "HEAD"],
        status_code=200,
        include_in_schema=False,
        opt={"rule": OPEN},
    )
    return described(handler)


async def _send_page(request: Request[Any, Any, Any]) -> Answer:
    return file_answer(_STATIC / "index.html", headers_of(request.scope), *_HEADERS)


async def _send_file(request: Request[Any, Any, Any]) -> Answer:
    """A file of the page. Raises NotFound."""
    name = request.path_params["name"]
    if name not in _names():
        raise NotFound(f"there is no /dashboard/{name}")
    return file_answer(_STATIC / name, headers_of(request.scope), *_HEADERS)


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _STATIC.iterdir() if path.suffix != ".LICENSE")
