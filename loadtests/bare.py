"""The limits that the service is measured against: the least a handler can do.

    python -m loadtests.bare sink PORT              answers without looking
    python -m loadtests.bare asgi PORT              ASGI; decodes a batch or an event
    python -m loadtests.bare litestar PORT [FILE]   Litestar; decodes an event, answers with FILE

`asgi` and `litestar` run in uvicorn as it comes, with the service's options: what somebody gets who
writes the handler and no more.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import msgspec
import uvicorn
import uvloop
from litestar import Litestar, Request, Response, get, post
from litestar.enums import MediaType

from service.api.events.records import WireEvent

ACCEPTED = b'{"success":true}'


class Batch(msgspec.Struct):
    """A batch as the service takes it."""

    events: list[WireEvent]


_decode_batch = msgspec.json.Decoder(Batch).decode
_decode_event = msgspec.json.Decoder(WireEvent).decode


class Sink(asyncio.Protocol):
    """Answers 202 to whatever ends a request, and reads nothing of it but its length."""

    ANSWER = b"HTTP/1.1 202 Accepted\r\ncontent-length: 16\r\n\r\n" + ACCEPTED

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            end = data.index(b"\r\n\r\n") + 4
            at = data.find(b"content-length: ", 0, end)
            self._missing = end + (int(data[at + 16 : data.index(b"\r", at)]) if at >= 0 else 0)
        self._missing -= len(data)
        if not self._missing:
            self._transport.write(self.ANSWER)


async def decoding(scope: Any, receive: Any, send: Any) -> None:
    """A bare ASGI application: reads the body, decodes it, says 202."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    (_decode_batch if scope["path"].endswith("/batch") else _decode_event)(body)
    await send(
        {
            "type": "http.response.start",
            "status": 202,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"16")],
        }
    )
    await send({"type": "http.response.body", "body": ACCEPTED})


def litestar(content: bytes) -> Litestar:
    """Bare handlers as one writes them in Litestar, and as fast as one can write them in it."""
    document = msgspec.json.decode(content)

    @post("/event", status_code=202)
    async def event(data: WireEvent) -> dict[str, bool]:
        return {"success": True}

    @post("/event-raw", status_code=202)
    async def event_raw(request: Request[Any, Any, Any]) -> Response[bytes]:
        _decode_event(await request.body())
        return Response(ACCEPTED, media_type=MediaType.JSON, status_code=202)

    @get("/document")
    async def as_json() -> Any:
        return document

    @get("/bytes")
    async def as_bytes() -> Response[bytes]:
        return Response(content, media_type=MediaType.JSON)

    @get("/unchanged", status_code=304)
    async def unchanged() -> Response[None]:
        return Response(None, headers={"etag": 'W/"1"'}, status_code=304)

    handlers = [event, event_raw, as_json, as_bytes, unchanged]
    return Litestar(handlers, openapi_config=None, logging_config=None)


def serve(app: Any, port: int, http: Any = "httptools") -> None:
    """Serve with the options of `headrace up`."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        http=http,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )


async def _sink(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


def main(what: str, port: int, file: str | None = None) -> None:
    if what == "sink":
        uvloop.run(_sink(port))
    elif what == "asgi":
        serve(decoding, port)
    else:
        serve(litestar(Path(file).read_bytes() if file else ACCEPTED), port)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
