"""`/-/export` and `/-/import`: events out of a running service in pieces, and into it.

For the operator of the data directory, as in `service/api/operators.py`. Rows travel as Arrow
streams. The command line uses them (`headrace export`, `import`, `move`).
"""

import asyncio
import hmac
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
import pyarrow as pa
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, Success, headers_of, json_answer
from service.api.bodies import read_body
from service.api.guards import OPERATOR, key_of
from service.api.openapi import Said, change, data, document, read, refusal, text_parameter
from service.errors import InvalidInput, Unauthenticated
from service.transfer.incoming import Landed, Way, land
from service.transfer.outgoing import EVER, Choice, Extent, Stored

LARGEST_PIECE = 256 * 1024 * 1024
"""Bytes of rows in one piece."""
_PIECE_TIMEOUT = 60.0
_ARROW = (b"content-type", b"application/vnd.apache.arrow.stream")
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Stretch(msgspec.Struct):
    """Which events are meant: those chosen, after one position and up to another."""

    after: int = 0
    until: int | None = None
    environment: str = ""
    start: int = -EVER
    end: int = EVER

    @property
    def choice(self) -> Choice:
        return Choice(self.environment, self.start, self.end)

    @property
    def last(self) -> int:
        if self.until is None:
            raise InvalidInput("`until` is missing", "until")
        return self.until


class Piece(msgspec.Struct):
    """Where rows that come in stand in their file, and whether they may have been sent before."""

    first: int = 0
    again: bool = False


class Transfers:
    """The routes by which events leave and come in. `token` opens them; nobody else has it."""

    def __init__(self, token: str, way: Way) -> None:
        self._token = token
        self._way = way
        self._source = Stored(way.store)

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/-/export", self.extent, _EXTENT),
            *read("/-/export/rows", self.rows, _ROWS),
            *read("/-/export/sums", self.sums, _SUMS),
            change("POST", "/-/import", self.take, _IMPORT),
        ]

    async def extent(self, request: Request[Any, Any, Any]) -> Answer:
        """What there is to export, cut into pieces."""
        self._admit(request)
        asked = _asked(request, Stretch)
        extent = await self._source.extent(asked.choice, asked.after, asked.until)
        return json_answer(200, Success(data=extent))

    async def rows(self, request: Request[Any, Any, Any]) -> Answer:
        """The events of a piece, as an Arrow stream."""
        self._admit(request)
        asked = _asked(request, Stretch)
        rows = await self._source.rows(asked.choice, asked.after, asked.last)
        body = await asyncio.to_thread(packed_rows, rows)
        return Answer(200, body, _ARROW, (b"content-length", b"%d" % len(body)))

    async def sums(self, request: Request[Any, Any, Any]) -> Answer:
        """What a stretch of the stored events adds up to, column by column."""
        self._admit(request)
        asked = _asked(request, Stretch)
        return json_answer(200, Success(data=await self._source.sums(asked.after, asked.last)))

    async def take(self, request: Request[Any, Any, Any]) -> Answer:
        """Take a piece of a file in; answered when its events are stored."""
        self._admit(request)
        asked = _asked(request, Piece)
        headers = headers_of(request.scope)
        body = await read_body(headers, request.receive, LARGEST_PIECE, _PIECE_TIMEOUT)
        rows = await asyncio.to_thread(unpacked_rows, body)
        landed = await land(self._way, rows, asked.first, asked.again)
        return json_answer(200, Success(data=landed))

    def _admit(self, request: Request[Any, Any, Any]) -> None:
        token = key_of(headers_of(request.scope)) or ""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise Unauthenticated("this route is for the operator of this data directory")


def packed_rows(rows: pa.Table) -> bytes:
    """Rows as an Arrow stream, compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_COMPRESSED) as writer:
        writer.write_table(rows)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def unpacked_rows(body: bytes) -> pa.Table:
    """The rows of an Arrow stream; raises InvalidInput when it is none."""
    try:
        with pa.ipc.open_stream(body) as reader:
            rows = reader.read_all()
        rows.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"the body is no Arrow stream: {error}") from None
    return rows


def _asked(request: Request[Any, Any, Any], kind: type[_Struct]) -> _Struct:
    given = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None


_REFUSED = [refusal(400, "A parameter is wrong."), refusal(401, "Not the operator's token.")]
_STRETCH = [
    text_parameter("after", "After this position."),
    text_parameter("until", "Up to this position."),
    text_parameter("environment", "The id of an environment; all of them without it."),
    text_parameter("start", "From this event time, ms since 1970 UTC."),
    text_parameter("end", "Before this event time, ms since 1970 UTC."),
]
_PIECE = [
    text_parameter("first", "The number of the first row in its file, for messages."),
    text_parameter("again", "`true` when an earlier try may have sent it."),
]
_EXTENT = Said("operators", OPERATOR, [data(200, Extent, "The pieces."), *_REFUSED], _STRETCH)
_ROWS = Said(
    "operators",
    OPERATOR,
    [document(200, bytes, "The rows.", media_type=_ARROW[1].decode()), *_REFUSED],
    _STRETCH,
)
_SUMS = Said("operators", OPERATOR, [data(200, dict[str, int], "The sums."), *_REFUSED], _STRETCH)
_IMPORT = Said(
    "operators",
    OPERATOR,
    [
        data(200, Landed, "What became of the rows."),
        *_REFUSED,
        refusal(503, "Send the same piece again later."),
    ],
    _PIECE,
)
