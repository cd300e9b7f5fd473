"""A ClickHouse server for tests: the engine (chDB) behind as much of ClickHouse's HTTP interface
as the clients use.

    python -m tests.chdb_server --path DIR --port N

Queries in the parameter or the body, `param_*`, settings a request, inserts in any format with
compressed bodies, exception codes, basic authentication. It proves nothing about asynchronous
inserts, sessions, quotas, replicas or distributed tables: those need a real server.
"""

import argparse
import asyncio
import gzip
import re
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import chdb
import lz4.frame
import uvicorn
import zstandard
from chdb._exceptions import ChdbError

from tests.running import free_port

USER, PASSWORD = "headrace", "a-password"
_TRANSPORT = {
    "query",
    "database",
    "query_id",
    "session_id",
    "session_timeout",
    "session_check",
    "compress",
    "decompress",
    "enable_http_compression",
    "wait_end_of_query",
    "client_protocol_version",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "buffer_size",
    "default_format",
    "user",
    "password",
    "role",
}
_INSERT = re.compile(rb"\s*INSERT\s+INTO\s+.*?\bFORMAT\s+(\w+)[ \t]*\n?", re.I | re.S)
_NO_SETTINGS_CLAUSE = re.compile(
    r"\s*(--[^\n]*\n\s*)*(CREATE|ALTER|DELETE|DROP|KILL|SYSTEM|INSERT)", re.I
)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.I)
_INFLATE: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ChdbServer:
    """The ASGI application over one engine; a pool of handles, one a thread's call."""

    def __init__(self, folder: Path, handles: int = 8) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._threads = ThreadPoolExecutor(handles)
        self._handles = [chdb.connect(str(folder)) for _ in range(handles)]
        self._free = list(self._handles)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        given = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        status, answer, told = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._answer, headers, given, body
        )
        head = [(b"content-length", str(len(answer)).encode()), *told]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": answer})

    def _answer(
        self, headers: Mapping[str, str], given: dict[str, str], body: bytes
    ) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        handle = self._free.pop()
        try:
            _authenticate(headers)
            body = _INFLATE[headers.get("content-encoding", "")](body)
            if headers.get("content-type", "").startswith("multipart/form-data"):
                given, body = given | _form(headers["content-type"], body), b""
            kind, answer = _carry_out(handle, given, body)
        except ChdbError as error:
            return _refusal(str(error))
        finally:
            self._free.append(handle)
        told = [(b"x-clickhouse-summary", b"{}"), (b"x-clickhouse-timezone", b"UTC")]
        if kind:
            told.append((b"x-clickhouse-format", kind.encode()))
        return 200, answer, told

    def close(self) -> None:
        self._threads.shutdown()
        for handle in self._handles:
            handle.close()


def _authenticate(headers: Mapping[str, str]) -> None:
    kind, _, credentials = headers.get("authorization", "").partition(" ")
    if kind != "Basic" or b64decode(credentials).decode() != f"{USER}:{PASSWORD}":
        raise ChdbError("Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")


def _carry_out(handle: Any, given: dict[str, str], body: bytes) -> tuple[str, bytes]:
    """The format and the bytes of an answer."""
    text = given.get("query", "").encode()
    insert = _INSERT.match(text) or _INSERT.match(body)
    settings = {
        name: value
        for name, value in given.items()
        if name not in _TRANSPORT and not name.startswith("param_")
    }
    if insert:
        data = body if _INSERT.match(text) else body[insert.end() :]
        return "", _insert(handle, insert[0].decode(), insert[1].decode(), settings, data)
    return _ask(handle, (text + b"\n" + body).decode().strip(), given, settings)


def _insert(
    handle: Any, statement: str, kind: str, settings: Mapping[str, str], data: bytes
) -> bytes:
    target = statement[: statement.upper().rindex("FORMAT")]
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        clause = f" SETTINGS {_clause(settings)}" if settings else ""
        handle.query(f"{target} FROM INFILE '{file.name}'{clause} FORMAT {kind}", "TabSeparated")
    return b""


def _ask(
    handle: Any, text: str, given: Mapping[str, str], settings: dict[str, str]
) -> tuple[str, bytes]:
    values = {name[6:]: value for name, value in given.items() if name.startswith("param_")}
    if database := given.get("database"):
        handle.query(f"USE `{database}`", "TabSeparated")
    named = _FORMAT.search(text)
    kind = named[1] if named else given.get("default_format", "TabSeparated")
    bare = _NO_SETTINGS_CLAUSE.match(text)
    if bare and settings.get("readonly") == "1":  # which no clause can tell the engine here
        raise ChdbError("Code: 164. DB::Exception: Cannot execute query in readonly mode.")
    if settings and not bare:
        text = text[: named.start()] if named else text
        text += f"\nSETTINGS {_clause(settings)}\nFORMAT {kind}"
    answer = handle.query(text, kind, params=values).bytes() or b""
    return ("" if bare and not answer else kind), answer


def _clause(settings: Mapping[str, str]) -> str:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace("'", "\\'")

    return ", ".join(f"{name} = '{quoted(value)}'" for name, value in settings.items())


def _form(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form: large parameters travel so."""
    boundary = kind.split("boundary=")[1].strip('"').encode()
    fields = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        found = re.search(rb'name="([^"]+)"', head)
        assert found
        fields[found[1].decode()] = value.removesuffix(b"\r\n").decode()
    return fields


def _refusal(message: str) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    found = re.search(r"Code: (\d+)", message)
    code = found[1] if found else "0"
    status = {"516": 403, "60": 404, "62": 400}.get(code, 500)
    return status, message.encode(), [(b"x-clickhouse-exception-code", code.encode())]


def url_of(port: int, database: str = "default") -> str:
    """The CLICKHOUSE_URL of a server on this machine."""
    return f"http://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}"


@asynccontextmanager
async def chdb_server(folder: Path) -> AsyncIterator[str]:
    """A server inside this process, and its URL."""
    port = free_port()
    application = ChdbServer(folder)
    server = _server(application, port)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield url_of(port)
    finally:
        server.should_exit = True
        await serving
        application.close()


def _server(application: Any, port: int) -> uvicorn.Server:
    class Server(uvicorn.Server):
        def install_signal_handlers(self) -> None:
            """Signals belong to the test, or to `main`."""

    return Server(
        uvicorn.Config(
            application, port=port, lifespan="off", log_level="error", timeout_graceful_shutdown=2
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(_server(ChdbServer(arguments.path), arguments.port).serve())


if __name__ == "__main__":
    main()
