"""A stand-in for the events face, over real HTTP: remembers ids, counts, and fails as told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvicorn

Refuse = tuple[int, dict[str, str], dict[str, Any]]
RECEIPT = "/api/v1/receipts/r"
LOSE_THE_ANSWER: Refuse = (202, {"content-length": "999"}, {})


@dataclass
class EventsFace:
    """`failures` are answered to the first batches; a lost answer is lost after counting."""

    events: dict[str, Any] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    failures: list[Refuse] = field(default_factory=list)
    refused: Callable[[Any], bool] = lambda event: event["userId"] == "bad"
    counted: Callable[[int], int] = lambda stored: stored
    stored: Callable[[int], int] = lambda taken: taken
    receipts: list[dict[str, int]] = field(default_factory=list)
    """Of the requests of which something was new, in their order: r0, r1 and so on."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        self.requests.append((scope["path"], headers, body))
        failure = self.failures.pop(0) if self.failures and body else None
        if failure in (None, LOSE_THE_ANSWER):
            answer = self._answer(scope["path"], body)
        await _send(send, *(failure or answer))

    @property
    def bodies(self) -> list[bytes]:
        """Of the batches, in the order in which they came."""
        return [body for _, _, body in self.requests if body]

    def _answer(self, path: str, body: bytes) -> Refuse:
        if path == "/api/v1/events/batch":
            return self._take(msgspec.json.decode(body)["events"])
        if path.startswith(RECEIPT):
            return 200, {}, {"data": self.receipts[int(path.removeprefix(RECEIPT))]}
        now = "2030-01-01T00:00:00Z"
        total = self.counted(len(self.events))
        shared = {"timestamp": now, "ingestionRate": 1.5, "totalIngested": total}
        blocks = {name: [] for name in ("eventsByType", "topUsers", "eventsOverTime")}
        sums = {"totalEvents": total, "avgEventsPerUser": 1, "uniqueUsers": 1, "uniqueSessions": 1}
        return 200, {}, {"data": shared | blocks | sums | {"asOf": now, "rows": []}}

    def _take(self, events: list[Any]) -> Refuse:
        bad = [
            {"index": i, "eventId": e["eventId"], "code": "VALIDATION_ERROR", "message": "bad user"}
            for i, e in enumerate(events)
            if self.refused(e)
        ]
        good = [e for e in events if not self.refused(e)]
        if not good:
            error = {"code": "VALIDATION_ERROR", "message": "all", "details": {"rejected": bad}}
            return 400, {}, {"success": False, "error": error}
        before = len(self.events)
        self.events |= {e["eventId"]: e for e in good}
        new = len(self.events) - before
        verdict = {"accepted": new, "duplicates": len(good) - new, "rejected": bad}
        ids = [e["eventId"] for e in events]
        return 202, {}, {"data": verdict | {"eventIds": ids, "receipt": self._receipt(new, good)}}

    def _receipt(self, new: int, good: list[Any]) -> str | None:
        if not new:
            return None
        stored = self.stored(new)
        self.receipts.append({"accepted": len(good), "stored": stored, "state": "queryable"})
        return f"r{len(self.receipts) - 1}"


async def _send(send: Any, status: int, headers: dict[str, str], document: Any) -> None:
    pairs = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": msgspec.json.encode(document)})


class _Server(uvicorn.Server):
    capture_signals = nullcontext  # type: ignore[assignment]


@asynccontextmanager
async def serving(face: EventsFace) -> AsyncIterator[str]:
    """The face on a free port of the loopback, as a base URL."""
    config = uvicorn.Config(face, port=0, lifespan="off", interface="asgi3", log_config=None)
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
