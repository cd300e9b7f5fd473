"""What every request passes before it is routed: the host it names, and the origin it comes from.

It stands before Litestar and before the direct routes, so that both are covered by one thing.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from service.api.answers import Answer, Header, headers_of
from service.errors import Forbidden, WrongHost

_EXPOSED = (
    b"age, content-digest, content-disposition, etag, ratelimit, ratelimit-policy, retry-after, "
    b"server-timing, x-as-of, x-next-cursor, x-ratelimit-limit, x-ratelimit-remaining, "
    b"x-ratelimit-reset, x-request-id, x-source"
)
"""Headers of answers that a page may read beside those that it always may."""
_ASKED: Sequence[Header] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-digest, content-encoding, content-type, idempotency-key, "
        b"if-none-match, last-event-id, traceparent, x-api-key, x-env-id, x-request-id",
    ),
    (b"access-control-max-age", b"7200"),
)
"""What a page may send; nothing goes with a request by itself, so no credentials are allowed."""
_STRANGER = "pages of this origin may not call: HEADRACE_CORS_ORIGINS names those"
_VARY: Header = (b"vary", b"origin")
_NAMES_KEPT = 256


class Threshold:
    """Refuses requests that name another host; lets pages of the `origins` read the answers.

    Without `hosts` every host will do. A host may begin with `*.`; an origin may be `*`.
    """

    def __init__(self, hosts: Sequence[str] = (), origins: Sequence[str] = ()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower().encode() for origin in origins)
        self._is_ours = lru_cache(_NAMES_KEPT)(self._names_us)

    def cross(self, scope: Any, send: Any) -> tuple[Answer | None, Any]:
        """The answer, if there is nothing more to ask; and where the answer is to be sent.

        Raises WrongHost, and Forbidden for a page that asks whether it may call and may not.
        """
        if not self._hosts and not self._origins:
            return None, send
        headers = headers_of(scope)
        if self._hosts and not self._is_ours(headers.get(b"host", b"")):
            raise WrongHost("no service of this name is here: HEADRACE_ALLOWED_HOSTS names those")
        if not self._origins:
            return None, send
        allowed = self._allowed(headers.get(b"origin"))
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            return self._told(allowed), send
        return None, _telling(allowed, send)

    def let_page_in(self, scope: Any) -> None:
        """Raises Forbidden for a WebSocket that a page of a stranger opens.

        Browsers let every page talk over one, and say which page it is.
        """
        headers = headers_of(scope)
        origin = headers.get(b"origin")
        if origin is None or urlsplit(origin.lower()).netloc == headers.get(b"host", b"").lower():
            return
        if not self._origins & {b"*", origin.lower()}:
            raise Forbidden(_STRANGER)

    def _told(self, allowed: Sequence[Header]) -> Answer:
        if not dict(allowed).get(b"access-control-allow-origin"):
            raise Forbidden(_STRANGER)
        return Answer(204, b"", *allowed, *_ASKED)

    def _allowed(self, origin: bytes | None) -> Sequence[Header]:
        """What an answer tells the browser; that it depends on the origin is told to everybody."""
        if b"*" in self._origins:
            return _open_to(b"*")
        if origin is None or origin.lower() not in self._origins:
            return [_VARY]
        return [*_open_to(origin), _VARY]

    def _names_us(self, host: bytes) -> bool:
        name = _without_port(host.decode("latin-1")).lower().removesuffix(".")
        _, _, parent = name.partition(".")
        return name in self._hosts or (bool(parent) and f"*.{parent}" in self._hosts)


def _open_to(origin: bytes) -> Sequence[Header]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED),
    ]


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0]


def _telling(headers: Sequence[Header], send: Any) -> Any:
    async def telling(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return telling
