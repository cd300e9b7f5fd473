"""A customers' API on a real socket that misbehaves as it is told to, and keeps account."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

FAULTS = (
    "slow",
    "error before it is done",
    "error after it is done",
    "ask to wait",
    "reset before it is done",
    "reset after it is done",
    "wrong JSON",
    "hang",
    "truncated",
)


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def rows(self) -> list[dict[str, Any]]:
        document = msgspec.json.decode(self.body) if self.body else {}
        return document if isinstance(document, list) else [document]


@dataclass
class Api:
    """What it does, and what was asked of it. `faults`: how often each comes, of 1."""

    faults: Mapping[str, float] = field(default_factory=dict)
    honours_keys: bool = True
    unique: str = ""
    """A field that no two customers share: a second one is answered 409."""
    answers: dict[tuple[str, str], tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    """Fixed answers, by method and path."""
    scripted: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Answers that come first, one each."""
    one_by_one: bool = False
    """Lists are answered with a status for each of their rows."""
    holds_at: int | None = None
    """So many customers, and it answers nothing any more."""
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    created: Counter[str] = field(default_factory=Counter)
    """How often each customer was created, by `id`."""
    asked: list[Asked] = field(default_factory=list)
    keep: bool = True
    """Whether requests are kept."""
    done: Counter[str] = field(default_factory=Counter)
    """Which faults came, how often."""
    requests: int = 0
    another: threading.Event = field(default_factory=threading.Event)
    """Set with every request."""
    port: int = 0
    open: set[Any] = field(default_factory=set)
    """The connections that are open."""
    _known: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self) -> str:
        drawn = self.dice.random()
        for name, share in self.faults.items():
            drawn -= share
            if drawn < 0:
                self.done[name] += 1
                return name
        return ""

    def carry_out(self, asked: Asked) -> tuple[int, bytes]:
        """Create the customers; a key that is known already gets the answer it got before."""
        key = asked.headers.get("idempotency-key", "")
        if self.honours_keys and key in self._known:
            return self._known[key]
        said = [self._create(row) for row in asked.rows]
        status, document = said[0][0], said[0][1]
        if len(said) > 1 or asked.body.startswith(b"["):
            each = [{"status": code, **told} for code, told in said]
            status = 207 if self.one_by_one else max(code for code, _ in said)
            document = {"results": each} if self.one_by_one else {"count": len(said)}
        self._known[key] = (status, msgspec.json.encode(document))
        return self._known[key]

    def _create(self, row: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if str(row.get("name", "")).startswith("bad"):
            return 422, {"message": f"{row['name']} is no name"}
        if self.unique and row.get(self.unique) in self.created:
            return 409, {"message": "there is one"}
        self.created[str(row.get(self.unique or "id"))] += 1
        return 201, {"id": row.get("id")}


class _Connection(asyncio.Protocol):
    def __init__(self, api: Api) -> None:
        self._api = api
        self._buffer = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        self._api.open.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._api.open.discard(self._transport)
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", 0))
        if len(rest) < size:
            return
        method, path, _ = first.split(" ")
        self._buffer = rest[size:]
        self._take(Asked(method, path, headers, rest[:size]))

    def _take(self, asked: Asked) -> None:
        api = self._api
        api.requests += 1
        api.another.set()
        if api.keep:
            api.asked.append(asked)
        if api.holds_at is not None and len(api.created) >= api.holds_at:
            return
        if fixed := api.answers.get((asked.method, asked.path)):
            self._answer(*fixed)
        elif api.scripted:
            self._answer(*api.scripted.pop(0))
        elif fault := api.fault():
            task = asyncio.ensure_future(self._misbehave(fault, asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            status, body = api.carry_out(asked)
            self._answer(status, {}, body)

    async def _misbehave(self, fault: str, asked: Asked) -> None:
        dice, api = self._api.dice, self._api
        if "before" not in fault and fault != "ask to wait":
            status, body = api.carry_out(asked)
        match fault:
            case "slow":
                await asyncio.sleep(dice.uniform(0.01, 0.1))
                self._answer(status, {}, body)
            case "error before it is done" | "error after it is done":
                self._answer(dice.choice([500, 502, 503]), {}, b"<h1>Oops</h1>")
            case "ask to wait":
                self._answer(429, {"retry-after": dice.choice(["0", "1"])}, b"")
            case "reset before it is done" | "reset after it is done":
                self._transport.abort()
            case "wrong JSON":
                self._answer(200, {}, b'{"id": ')
            case "hang":
                await asyncio.sleep(60)
            case "truncated":
                self._transport.write(b"HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{")
                self._transport.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        told = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._transport.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)


@contextmanager
def serving(api: Api) -> Iterator[Api]:
    """The API, served by a thread of its own, so that it outlives whoever calls it."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    end = asyncio.Event()

    async def serve() -> None:
        server = await loop.create_server(lambda: _Connection(api), "127.0.0.1", 0)
        api.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()
        for transport in list(api.open):
            transport.abort()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()
