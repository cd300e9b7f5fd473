"""The application on a port of the loopback, over real parts where they are quick, tiny ones else.

Ingest is real; its stream keeps what it is given in a list. Questions answer one document.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2
import msgspec
import pyarrow as pa
import uvicorn

from service.accounts.principals import Principal
from service.accounts.registry import Registry
from service.accounts.sessions import SignedIn
from service.accounts.tickets import NewTicket, Ticket
from service.api.wire import HeadraceProtocol
from service.app import create_app
from service.errors import InvalidKey, NotFound, Unauthenticated
from service.events import Event, unpack
from service.hints import Hints
from service.ingest import Ingest
from service.limits import LocalLimits, Standing
from service.pipelines.control.registry import Control
from service.publisher import Publisher
from service.query.cache import AnswerCache, Served, Waiting, patiently
from service.query.customers import Customer, Version
from service.query.exports import SCHEMA as EXPORTED
from service.query.live import Live
from service.query.run import ReceiptCounts, Stats
from service.query.share import Computed
from service.receipts import Place, Receipts
from service.server import configuration
from service.settings import Settings
from service.storage.cost import Cost
from service.storage.mark import Mark
from service.stream.protocol import Receipt

KEY = {"x-api-key": "evp_all"}
TENANT = "env_default"


SCOPES = {"evp_all": {"ingest", "read", "sql", "admin"}, "evp_in": {"ingest"}, "evp_out": {"read"}}


class Keys:
    """Three keys, named after what they may do."""

    async def verify(self, text: str) -> Principal:
        if text not in SCOPES:
            raise InvalidKey("the API key is unknown, expired or revoked")
        return Principal(TENANT, frozenset(SCOPES[text]), text, text)

    still = verify


class Sessions:
    """Nobody is signed in."""

    async def verify(self, token: str) -> SignedIn:
        raise Unauthenticated("this session has ended: sign in again")


class Anything:
    """Limits that let everything through, for there are many calls."""

    async def take(self, *_: Any) -> Standing:
        return Standing(1, 1)


@dataclass
class Tickets:
    """Good once."""

    made: dict[str, Ticket] = field(default_factory=dict)

    async def make(self, principal: Principal) -> NewTicket:
        ticket = f"evl_{len(self.made)}"
        self.made[ticket] = Ticket(principal.key_id, principal.tenant)
        return NewTicket(ticket, 1_700_000_060_000)

    async def take(self, text: str) -> Ticket:
        if text not in self.made:
            raise Unauthenticated("the ticket is unknown, was used, or is too old")
        return self.made.pop(text)


@dataclass
class Environments:
    public: str | None = TENANT

    async def is_public(self, environment_id: str) -> bool:
        return environment_id == self.public


@dataclass
class Stream:
    """Keeps the ids it is given; `error` is raised instead when there is one."""

    ids: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    notes: Any = None

    async def publish(
        self, tenant: str, message_id: str, body: bytes, timeout: float, notes: Any = None
    ) -> Receipt:
        await self.ping()
        self.events += unpack(body).events.to_pylist()
        self.ids = [event["event_id"] for event in self.events]
        self.notes = notes
        return Receipt(1, False)

    async def ping(self) -> None:
        if self.error:
            raise self.error


@dataclass
class Questions:
    """Answers every question with `document`, through a real cache."""

    document: bytes = b'{"totalEvents":1}'
    cache: AnswerCache = field(default_factory=lambda: AnswerCache(10))
    computed: int = 0
    position: int = 1
    as_of: int = 1_700_000_000_000
    error: Exception | None = None

    async def metrics(
        self,
        tenant: str,
        parameters: Any,
        at_least: int = 0,
        waiting: Waiting = patiently,
    ) -> Served:
        key = repr(parameters.canonical()).encode()
        return await self.cache.answer(key, self._compute, at_least, waiting)

    async def stats(self, tenant: str) -> Stats:
        return Stats(0.0, 7, "2030-01-01T00:00:00Z")

    async def receipt_counts(self, tenant: str, place: Place) -> ReceiptCounts:
        return ReceiptCounts(place.count, 0)

    async def _compute(self) -> Computed:
        if self.error:
            raise self.error
        self.computed += 1
        return Computed(self.document, self.position, self.as_of, cost=Cost(300, None))

    numbers = query = sql = journey = metrics


@dataclass
class Exports:
    """Gives the `tables`, then raises the `error` if there is one. Remembers who asked."""

    tables: Sequence[pa.Table] = (EXPORTED.empty_table(),)
    error: Exception | None = None
    as_of: int = 1_700_000_000_000
    running: int = 0
    tenants: set[str] = field(default_factory=set)

    async def pages(self, tenant: str, wanted: Any) -> AsyncGenerator[pa.Table]:
        self.tenants.add(tenant)
        self.running += 1
        try:
            for table in self.tables:
                yield table
            if self.error:
                raise self.error
        finally:
            self.running -= 1


class Shelf:
    """Has nothing saved."""

    async def asked(self, tenant: str, name: str, *_: Any) -> Any:
        raise NotFound("there is no such saved question")


class Customers:
    """Knows ada alone."""

    async def page(self, *_: Any) -> list[Customer]:
        return [await self.find(TENANT, "ada")]

    async def find(self, tenant: str, user_id: str) -> Customer:
        if user_id != "ada":
            raise NotFound("there is no such customer")
        now = "2030-01-01T00:00:00.000Z"
        return Customer(user_id, msgspec.Raw(b"{}"), now, now)

    async def history(self, tenant: str, user_id: str) -> list[Version]:
        known = await self.find(tenant, user_id)
        return [Version("", msgspec.Raw(b"{}"), known.as_of, known.received_at)]

    async def name_tellings(self, tenant: str, tellings: Sequence[Event]) -> None:
        for telling in tellings:
            telling.event_id = f"{telling.event_type}_{telling.user_id}"


class Insight:
    """Of pipelines that never ran: there is nothing to forget."""

    async def forget(self, *_: Any) -> None: ...


class Census:
    """Of no pipelines."""

    async def measure(self) -> None: ...


class Pinged:
    async def ping(self) -> None: ...


@dataclass
class Edge:
    """A running application, a client for it, and the parts it stands on."""

    client: httpx2.AsyncClient
    port: int
    parts: SimpleNamespace
    server: uvicorn.Server

    @property
    def connections(self) -> set[Any]:
        """Those that are open."""
        return self.server.server_state.connections

    def new_protocol(self) -> HeadraceProtocol:
        """One as the server makes for a connection."""
        return HeadraceProtocol(self.server.config, self.server.server_state, {})

    async def send(self, events: Any, **more: Any) -> httpx2.Response:
        """Send a batch."""
        return await self.client.post(
            "/api/v1/events/batch", json={"events": events}, headers=KEY, **more
        )

    async def post(self, body: bytes, path: str = "/batch", **headers: str) -> httpx2.Response:
        """Send a raw body; `content_type="…"` becomes the header of that name."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"content-type": "application/json", **KEY, **named}
        return await self.client.post(f"/api/v1/events{path}", content=body, headers=named)

    async def raw(self, request: bytes) -> bytes:
        """What comes back for these bytes until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer


def an_event(**changes: Any) -> dict[str, Any]:
    """An event as a caller writes it."""
    return {
        "eventType": "click",
        "userId": "ada",
        "sessionId": "s1",
        "timestamp": "2024-01-30T12:34:56Z",
        **changes,
    }


def parts_of(**changes: Any) -> SimpleNamespace:
    """The parts of a service; settings by name, other parts replace the ones here."""
    fields = Settings.__dataclass_fields__
    named = {name: changes.pop(name) for name in list(changes) if name in fields}
    settings, mark, receipts = Settings(**named), Mark(), Receipts(b"secret")
    stream = Stream()
    publisher = Publisher(stream, mark, Hints(), settings)
    parts = SimpleNamespace(
        settings=settings,
        mark=mark,
        receipts=receipts,
        stream=stream,
        store=Pinged(),
        database=Pinged(),
        keys=Keys(),
        signatures=None,
        sessions=Sessions(),
        tickets=Tickets(),
        sign_in=None,
        audit=None,
        signing_tokens=None,
        registry=SimpleNamespace(**dict.fromkeys(Registry.__slots__)),
        pipelines=SimpleNamespace(**dict.fromkeys(Control.__slots__)),
        pushing=None,
        insight=Insight(),
        census=Census(),
        partners=None,
        uploads=None,
        limits=LocalLimits(),
        environments=Environments(),
        questions=Questions(),
        customers=Customers(),
        forgetting=None,
        exports=Exports(),
        saved=None,
        shelf=Shelf(),
        live=Live(mark, settings.live_listeners, settings.live_per_environment),
        ingest=Ingest(publisher, receipts, settings),
        rollup=None,
        shared=None,
        way=SimpleNamespace(store=None),
        operator_token="operator",
        canary=None,
        started_at=time.time(),
        ready=lambda: True,
    )
    return SimpleNamespace(**vars(parts) | changes)


class _Server(uvicorn.Server):
    capture_signals = nullcontext  # type: ignore[assignment]

    async def main_loop(self) -> None:
        """uvicorn's own looks ten times a second whether it should end."""
        await self.on_tick(0)
        while not self.should_exit:
            await asyncio.sleep(0.002)


@asynccontextmanager
async def running(
    protocol: type[HeadraceProtocol] = HeadraceProtocol, **changes: Any
) -> AsyncIterator[Edge]:
    """The application served as `headrace up` serves it, on a free port."""
    parts = parts_of(**changes)
    config = configuration(create_app(parts))  # type: ignore[arg-type]
    config.port, config.http = 0, protocol
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.002)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield Edge(client, port, parts, server)
    finally:
        server.should_exit = True
        await task
