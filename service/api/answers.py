"""An answer: status, headers and bytes, sent as two messages with no work in between.

Litestar's own response classes cost more than all the rest of a cached answer.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")

_Data = TypeVar("_Data")

_encode = msgspec.json.Encoder().encode


class Success(msgspec.Struct, Generic[_Data], kw_only=True):
    """The envelope of whatever went well."""

    success: Literal[True] = True
    data: _Data


class Answer(ASGIResponse):
    """What goes back to the caller. A HEAD request gets its headers alone."""

    __slots__ = ("answer_headers", "content", "status")

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

    def to_asgi_response(self, *_: Any, **__: Any) -> Answer:
        return Answer(204, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.to_asgi_response()(scope, receive, send)


NO_CONTENT = NoContent(None)


def json_answer(status: int, document: Any, *headers: Header) -> Answer:
    """`document` as JSON. Raises nothing for what msgspec can encode."""
    content = _encode(document)
    return Answer(status, content, JSON, (b"content-length", b"%d" % len(content)), *headers)


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """The request's headers by lower-case name; of a repeated one the last."""
    return dict(scope["headers"])


def iso(moment: int) -> str:
    """A time in ms since 1970 UTC as ISO 8601 text in UTC, to the millisecond."""
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{text.removesuffix('+00:00')}Z"
