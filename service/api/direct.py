"""Litestar without its routing for paths that stand whole in a table.

Litestar finds a route, builds a request, parses a handler's signature and wraps its answer: about
30 µs, more than a cached answer takes. A path without parameters needs none of it: its handler is
looked up by method and path and called. Everything else (paths with parameters, the documentation,
404, 405, a trailing slash) goes Litestar's way, with the same handlers. A WebSocket's handshake is
a GET of such a path: the handler answers it with a stream, or as it answers everybody.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from typing import Any
from urllib.parse import unquote

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from service import traces, trail
from service.api.answers import Answer, headers_of
from service.api.calls import Call
from service.api.meters import Meters
from service.api.sockets import prepare, refuse
from service.api.threshold import Threshold
from service.errors import NotFound

WRITTEN_SLASH = "\x1f"
"""What stands in a path for a slash that was written %2F: no id has a control character in it."""
_WITH_IDS = "/api/v1/customers/"
"""What lies below has ids of users in its paths, and those may have slashes in them."""


class DirectLitestar(Litestar):
    """Calls `handlers` of whole paths directly; an error becomes `answer_error(call, error)`.

    The handlers take one argument and use no more of it than a `Call` has. Every request crosses
    the `threshold` first.
    """

    def __init__(
        self,
        handlers: Sequence[HTTPRouteHandler],
        answer_error: Callable[[Any, Exception], Any],
        threshold: Threshold,
        **options: Any,
    ) -> None:
        super().__init__(
            exception_handlers={Exception: answer_error}, logging_config=None, **options
        )
        self._register_at_once(handlers)
        self._direct = _by_method_and_path(handlers)
        self._sockets = _by_pattern(handlers)
        self._answer_error = answer_error
        self._meters = Meters([path for _, path in self._direct])
        self._threshold = threshold

    def _register_at_once(self, handlers: Sequence[HTTPRouteHandler]) -> None:
        """Litestar's `register` for many: that one goes through all before it again for each."""
        for path, found in _by_path(handlers, self).items():
            route = HTTPRoute(path=path, route_handlers=found)
            self.routes.append(route)
            for handler in route.route_handlers:
                handler.on_registration(self)
            route.create_handler_map()
            for plugin in self.plugins.receive_route:
                plugin.receive_route(route)
        self.asgi_router.construct_routing_trie()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._open_socket(scope, receive, send)
            return
        if scope["path"].startswith(_WITH_IDS):
            scope["path"] = _with_written_slashes(scope)
        send = _named(scope, self._meters.metered(scope["path"], send))
        if tracer := traces.tracer():
            with tracer.request(scope, send) as noting:
                await self._answer(scope, receive, noting)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        call = Call(scope, receive)
        try:
            answer, send = self._threshold.cross(scope, send)
            handler = self._direct.get((scope["method"], scope["path"]))
            if answer is None and handler is not None:
                scope["path_template"] = scope["path"]
                answer = await handler(call)
        except Exception as error:
            answer = self._answer_error(call, error).to_asgi_response()
        if answer is None:
            await super().__call__(scope, receive, send)
        else:
            await answer(scope, receive, send)

    async def _open_socket(self, scope: Any, receive: Any, send: Any) -> None:
        """Have a handshake answered as the GET that it is: by whole path, or by the few paths with
        parameters whose handlers say `socket`."""
        prepare(scope)
        trail.begin(headers_of(scope).get(_NAME))
        call = Call(scope, receive)
        try:
            self._threshold.cross(scope, send)
            self._threshold.let_page_in(scope)
            answer = await self._listening(scope)(call)
        except Exception as error:
            answer = self._answer_error(call, error).to_asgi_response()
        if answer.goes_on:
            await answer(scope, receive, send)
        else:
            await refuse(answer, send)

    def _listening(self, scope: Any) -> Callable[[Any], Awaitable[Answer]]:
        path = scope["path"].rstrip("/")
        for pattern, handler in self._sockets:
            if found := pattern.fullmatch(path):
                scope["path_params"] = found.groupdict()
                return handler
        return self._direct.get(("GET", path), _nowhere)


def _named(scope: Any, send: Any) -> Any:
    """Where the answer is to be sent so that it says the id of its request."""
    header = (_NAME, trail.begin(headers_of(scope).get(_NAME)).encode())

    async def naming(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), header]
        await send(message)

    return naming


_NAME = b"x-request-id"


def _with_written_slashes(scope: Any) -> str:
    """The path in which a slash is a slash only where it was written as one."""
    written = scope["raw_path"].decode("latin-1").replace("%2f", "%2F")
    return unquote(written.replace("%2F", WRITTEN_SLASH)) if "%2F" in written else scope["path"]


async def _nowhere(call: Call) -> Answer:
    raise NotFound(f"there is no {call.scope['path']}")


def _by_pattern(
    handlers: Sequence[HTTPRouteHandler],
) -> list[tuple[re.Pattern[str], Callable[[Any], Awaitable[Answer]]]]:
    """Of the handlers that also answer a WebSocket, by paths with parameters."""
    return [
        (re.compile(re.sub(r"{(\w+):str}", r"(?P<\1>[^/]+)", path)), handler.fn)
        for handler in handlers
        if handler.opt.get("socket") and "GET" in handler.http_methods
        for path in handler.paths
    ]


def _by_path(
    handlers: Sequence[HTTPRouteHandler], owner: Litestar
) -> Mapping[str, list[HTTPRouteHandler]]:
    """Copies that belong to the application, by the paths that they answer."""
    found: dict[str, list[HTTPRouteHandler]] = {}
    for handler in handlers:
        owned = copy(handler)
        owned.owner = owner
        for path in handler.paths:
            found.setdefault(path, []).append(owned)
    return found


def _by_method_and_path(
    handlers: Sequence[HTTPRouteHandler],
) -> dict[tuple[str, str], Callable[[Any], Awaitable[Answer]]]:
    return {
        (method, path): handler.fn
        for handler in handlers
        for method in handler.http_methods
        for path in handler.paths
        if "{" not in path
    }
