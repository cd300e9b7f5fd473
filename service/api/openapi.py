"""The OpenAPI document and its page at `/docs`.

Handlers here read bodies and query strings themselves, so their routes say in words of this module
what they take. The page (swagger-ui-dist 5.35.0, Apache-2.0, in `static/`) asks nobody else for
anything: its policy forbids it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from litestar import Request, Router, get, route
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIMediaType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.types import Method

import service
from service.api.answers import Answer, Success
from service.api.guards import Rule
from service.api.pages import page_headers
from service.api.problems import ProblemBody
from service.formats.choice import Format

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "swagger-ui-start.js": b"text/javascript; charset=utf-8",
    "swagger-ui-favicon.png": b"image/png",
}
_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Headrace API</title>
<link rel="icon" type="image/png" href="/docs/swagger-ui-favicon.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/swagger-ui-start.js"></script>
</body>
</html>
"""
_PAGE_HEADERS = page_headers(styles="'self' 'unsafe-inline'")


@dataclass(frozen=True, slots=True)
class Said:
    """What the document says of a route beside its path and the handler's docstring."""

    tag: str
    rule: Rule
    responses: Sequence[tuple[int, ResponseSpec]]
    parameters: Sequence[Parameter] = ()
    body: RequestBody | None = None
    forms: Sequence[Format] = ()
    """As which the first of the responses may come, too."""
    socket: bool = False
    """Whether a WebSocket may be opened there, too, though the path has parameters."""


def read(path: str, handler: Any, said: Said) -> list[HTTPRouteHandler]:
    """The handlers of a resource that is read: GET, and HEAD with the same headers."""
    return [
        get(path, **_documentation(handler, said))(handler),
        route(
            path,
            http_method="HEAD",
            status_code=200,
            include_in_schema=False,
            opt={"rule": said.rule},
        )(handler),
    ]


def change(method: Method, path: str, handler: Any, said: Said) -> HTTPRouteHandler:
    """The handler of a request that changes something."""
    status = said.responses[0][0]
    documentation = _documentation(handler, said)
    return route(path, http_method=method, status_code=status, **documentation)(handler)


def data(status: int, kind: Any, about: str, example: Any = None) -> tuple[int, ResponseSpec]:
    """A response whose `data` is a `kind`."""
    value = None if example is None else {"success": True, "data": example}
    return document(status, Success[kind], about, value)


def document(
    status: int, kind: Any, about: str, example: Any = None, media_type: str = "application/json"
) -> tuple[int, ResponseSpec]:
    """A response that is a `kind`; None is one without a body."""
    examples = None if example is None else [Example(summary=about, value=example)]
    return status, ResponseSpec(kind, False, about, media_type, examples)


def refusal(status: int, about: str) -> tuple[int, ResponseSpec]:
    """An error response."""
    return document(status, ProblemBody, about)


_NOWHERE = [
    refusal(400, "The user works in no environment."),
    refusal(404, "There is no environment as `X-Env-Id` names it."),
]
_TOO_OFTEN = refusal(429, "More than the caller's tier allows; see `Retry-After`.")


def text_parameter(
    name: str, about: str, allowed: Sequence[str] | None = None, where: str = "query"
) -> Parameter:
    """A parameter of the query string or, with `where`, a header or part of the path."""
    schema = Schema(type=OpenAPIType.STRING, enum=allowed)
    required = where == "path"
    return Parameter(name, where, schema=schema, description=about, required=required)


def body_of(about: str, **media: tuple[dict[str, Any], Any]) -> RequestBody:
    """A request body: for each kind (`json`, `ndjson`, `form`) its JSON schema and an example."""
    kinds = {
        "json": "application/json",
        "ndjson": "application/x-ndjson",
        "form": "application/x-www-form-urlencoded",
    }
    content = {
        kinds[kind]: OpenAPIMediaType(schema=schema, example=example)  # type: ignore[arg-type]
        for kind, (schema, example) in media.items()
    }
    return RequestBody(content, about, required=True)


def _documentation(handler: Any, said: Said) -> dict[str, Any]:
    answers = {**_implied(said.rule), **dict(said.responses)}
    return {
        "tags": [said.tag],
        "summary": handler.__doc__.partition("\n")[0].rstrip("."),
        "description": handler.__doc__.partition("\n")[2].strip() or None,
        "responses": answers,
        "security": _security(said.rule),
        "opt": {"rule": said.rule, "socket": said.socket},
        "operation_class": _operation(said, answers),
    }


def _implied(rule: Rule) -> dict[int, ResponseSpec]:
    """What the rule itself makes a route answer."""
    needed = " or ".join(f"`{scope}`" for scope in rule.scopes)
    implied = [refusal(403, f"The credential has no {needed}.")] if needed else []
    if needed and rule.sessions:
        implied += _NOWHERE
    return dict([*implied, _TOO_OFTEN] if rule.tiered else implied)


def _security(rule: Rule) -> list[dict[str, list[str]]] | None:
    """The credentials that will do, one of them; an empty one stands for none at all."""
    ways = {
        "apiKey": rule.keys,
        "session": rule.sessions,
        "operator": rule.operator,
        "partner": rule.partners,
    }
    named: list[dict[str, list[str]]] = [{name: []} for name, does in ways.items() if does]
    return [*named, {}] if rule.public else named or None


_FILE = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)


def _operation(said: Said, answers: Mapping[int, ResponseSpec]) -> type[Operation]:
    """An operation with these answers alone: of itself Litestar adds a 400 that nobody gives."""

    class Described(Operation):  # a dataclass of its own costs a millisecond, and adds no field
        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)
            self.parameters = list(said.parameters) or None
            self.request_body = said.body
            given = self.responses or {}
            self.responses = {status: given[status] for status in given if int(status) in answers}
            first = self.responses[str(said.responses[0][0])]
            for form in said.forms:
                cast(Any, first).content[form.media] = OpenAPIMediaType(schema=_FILE)

    return Described


class SwaggerPage(OpenAPIRenderPlugin):
    """The page, and the files it needs."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return _PAGE

    def receive_router(self, router: Router) -> None:
        for name in _FILES:
            router.register(get(f"/{name}", name=name)(send_file))


async def send_file(request: Request[Any, Any, Any]) -> Answer:
    """A file of the page."""
    name = request.scope["path"].rpartition("/")[2]
    content = _content(name)
    return Answer(
        200,
        content,
        (b"content-type", _FILES[name]),
        (b"content-length", b"%d" % len(content)),
        (b"cache-control", b"max-age=86400"),
    )


@cache
def _content(name: str) -> bytes:
    return (_STATIC / name).read_bytes()


def openapi_config() -> OpenAPIConfig:
    """What Litestar needs to know to make the document and serve the page."""
    return OpenAPIConfig(
        title="Headrace",
        version=service.__version__,
        description="Events in, counted once; questions answered a second later.",
        render_plugins=[SwaggerPage()],
        openapi_router=Router(
            "/docs",
            route_handlers=[],
            include_in_schema=False,
            response_headers=[ResponseHeader(name=n, value=v) for n, v in _PAGE_HEADERS.items()],
        ),
        components=Components(
            security_schemes={
                "apiKey": SecurityScheme("apiKey", name="x-api-key", security_scheme_in="header"),
                "session": SecurityScheme("http", scheme="bearer", bearer_format="JWT"),
                "operator": SecurityScheme("http", scheme="bearer"),
                "partner": SecurityScheme(
                    "apiKey", name="x-optikpi-token", security_scheme_in="header"
                ),
            }
        ),
        use_handler_docstrings=True,
    )
