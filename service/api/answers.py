"""An answer: status, headers and bytes, sent as two messages with no work in between.

Litestar's own response classes cost more than all the rest of a cached answer.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from service.accounts.principals import Principal

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")

_HEADERS = "headrace.headers"

_Data = TypeVar("_Data")

_encode = msgspec.json.Encoder().encode


class Success(msgspec.Struct, Generic[_Data], kw_only=True):
    """The envelope of whatever went well."""

    success: Literal[True] = True
    data: _Data


class Answer(ASGIResponse):
    """What goes back to the caller. A HEAD request gets its headers alone."""

    __slots__ = ("answer_headers", "content", "status")

    goes_on = False
    """Whether it is a stream, which may go out on a WebSocket as well."""

    def __init__(self, status: int, content: bytes, *headers: Header) -> None:
        self.status = status
        self.content = content
        self.answer_headers = headers

    def plus(self, *headers: Header) -> "Answer":
        """The same answer with more headers."""
        return Answer(self.status, self.content, *self.answer_headers, *headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = scope["method"] == "HEAD"  # type: ignore[typeddict-item]
        await send(
            {"type": "http.response.start", "status": self.status, "headers": self.answer_headers}
        )
        await send(
            {
                "type": "http.response.body",
                "body": b"" if head else self.content,
                "more_body": False,
            }
        )


class NoContent(Response[None]):
    """204. Handlers that give it say `-> Response[None]`, as Litestar wants it of them."""

    def __init__(self, *headers: Header) -> None:
        super().__init__(None)
        self._answer = Answer(204, b"", *headers)

    def plus(self, *headers: Header) -> "NoContent":
        """The same with headers."""
        return NoContent(*headers)

    def to_asgi_response(self, *_: Any, **__: Any) -> Answer:
        return self._answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)


NO_CONTENT = NoContent()


def json_answer(status: int, document: Any, *headers: Header) -> Answer:
    """`document` as JSON. Raises nothing for what msgspec can encode."""
    content = _encode(document)
    return Answer(status, content, JSON, (b"content-length", b"%d" % len(content)), *headers)


class Headers(dict[bytes, bytes]):
    """A request's headers by lower-case name; those of one name with commas between.

    With them, named as HTTP/2 names them, `:method` and `:path`: the path with its query, as sent.
    """

    signer: Principal | None = None
    """Who signed the request, once that is known."""


def headers_of(scope: Any) -> Headers:
    """The headers of a request, the same object whenever it is asked for them."""
    headers: Headers | None = scope.get(_HEADERS)
    if headers is None:
        headers = scope[_HEADERS] = _headers(scope)
    return headers


def _headers(scope: Mapping[str, Any]) -> Headers:
    pairs = scope["headers"]
    headers = Headers(pairs)
    if len(headers) != len(pairs):
        headers = _joined(pairs)
    query = scope["query_string"]
    headers[b":method"] = scope["method"].encode()
    headers[b":path"] = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    return headers


def _joined(pairs: Iterable[Header]) -> Headers:
    headers = Headers()
    for name, value in pairs:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def iso(moment: int) -> str:
    """A time in ms since 1970 UTC as ISO 8601 text in UTC, to the millisecond."""
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{text.removesuffix('+00:00')}Z"


def iso_if(moment: int | None) -> str | None:
    """As `iso`, where there is a time."""
    return None if moment is None else iso(moment)
