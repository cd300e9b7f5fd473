"""Clients that send, retry and keep a ledger. They share no code with the service.

A client sends the same bytes again after any error, timeout or 503, until it is told that the
events were taken. Only then does the ledger call them acknowledged.
"""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Self

from tests.running import RunningService

REQUEST_SECONDS = 15
LONGEST_PAUSE = 0.3
DAY = 24 * 3600 * 1000


class Sent(NamedTuple):
    """An event as it was sent. `time` is in ms since 1970 UTC, `document` its JSON."""

    id: str
    type: str
    user: str
    time: int
    document: bytes


@dataclass
class Ledger:
    """What was sent and what was answered."""

    sent: dict[str, Sent] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    """How often each status was answered; 0 is no answer at all."""
    surprises: list[str] = field(default_factory=list)
    """Answers that nobody should get."""


def together(*ledgers: Ledger) -> Ledger:
    """What several clients sent, and what they were answered."""
    whole = Ledger()
    for ledger in ledgers:
        whole.sent |= ledger.sent
        whole.acknowledged |= ledger.acknowledged
        whole.answers += ledger.answers
        whole.surprises += ledger.surprises
    return whole


def make_events(dice: random.Random, prefix: str, count: int, days: int = 2) -> list[Sent]:
    """New events of the last days, and of the next hours."""
    return [make_event(dice, f"{prefix}-{n}", days=days) for n in range(count)]


def make_batches(dice: random.Random, prefix: str, count: int) -> list[list[Sent]]:
    return [make_events(dice, f"{prefix}-{n}", dice.randint(1, 200)) for n in range(count)]


def make_event(
    dice: random.Random, event_id: str, moment: int | None = None, days: int = 2
) -> Sent:
    if moment is None:
        moment = int(time.time() * 1000) - dice.randrange(days * DAY) + dice.randrange(DAY // 2)
    kind = dice.choice(("click", "page_view", "purchase", "seen"))
    user = f"user-{dice.randrange(200)}"
    document = {
        "eventId": event_id,
        "eventType": kind,
        "userId": user,
        "sessionId": f"{user}-{dice.randrange(5)}",
        "timestamp": datetime.fromtimestamp(moment / 1000, UTC).isoformat(),
        "priority": dice.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 5)),
        "metadata": {"source": "chaos"},
        "payload": {"amount": dice.random() * 100, "note": "ü" * dice.randrange(40)},
    }
    return Sent(event_id, kind, user, moment, json.dumps(document).encode())


class Client:
    """One connection that does not give up before `patience` seconds."""

    def __init__(self, service: RunningService, ledger: Ledger) -> None:
        self._service = service
        self._ledger = ledger
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.deadline = float("inf")
        """When trying ends, on the event loop's clock."""

    async def deliver(self, batch: Sequence[Sent]) -> bool:
        """Send until acknowledged; False when the deadline came first."""
        self._ledger.sent.update((event.id, event) for event in batch)
        path, body = _request(batch)
        pause = 0.02
        while asyncio.get_running_loop().time() < self.deadline:
            status, headers, answer = await self._try(path, body)
            self._ledger.answers[status] += 1
            if status in {200, 202}:
                self._check_verdict(batch, answer)
                self._ledger.acknowledged.update(event.id for event in batch)
                return True
            self._check_refusal(status, headers, answer)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return False

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _try(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await self._post(path, body)
        except (OSError, EOFError, ValueError):
            self.close()
            return 0, {}, b""

    async def _post(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._service.port)
        reader, writer = self._streams
        writer.write(
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {self._service.api_key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        answer = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), headers, answer

    def _check_verdict(self, batch: Sequence[Sent], answer: bytes) -> None:
        data = json.loads(answer)["data"]
        if len(batch) == 1:
            told, expected = data["eventId"], batch[0].id
        else:
            told = data["eventIds"], data["accepted"] + data["duplicates"]
            expected = [event.id for event in batch], len(batch)
        if told != expected:
            self._ledger.surprises.append(f"acknowledged {told}, sent {expected}")

    def _check_refusal(self, status: int, headers: dict[str, str], answer: bytes) -> None:
        refused_well = status == 503 and int(headers.get("retry-after", 0)) > 0
        if status and not refused_well:
            self._ledger.surprises.append(f"{status} {headers} {answer[:500]!r}")


def deliver_all(
    service: RunningService, ledger: Ledger, batches: Iterable[Sequence[Sent]], clients: int = 5
) -> None:
    """Send all these batches over a few connections and return when all are acknowledged."""
    asyncio.run(_deliver_all(service, ledger, list(batches), clients))


async def _deliver_all(
    service: RunningService, ledger: Ledger, batches: list[Sequence[Sent]], clients: int
) -> None:
    async def work_off() -> None:
        client = Client(service, ledger)
        client.deadline = asyncio.get_running_loop().time() + 60
        while batches:
            assert await client.deliver(batches.pop(0)), f"not delivered: {ledger.answers}"
        client.close()

    await asyncio.gather(*(work_off() for _ in range(clients)))


class Load:
    """Clients that send from a thread of their own for as long as the `with` block lasts.

    At its end no new batch is begun; those under way are tried for `patience` seconds more.
    """

    def __init__(
        self, service: RunningService, seed: str, clients: int = 4, largest: int = 200
    ) -> None:
        self.ledger = Ledger()
        self.patience = 30.0
        self.days = 2
        """How many days of event time the events are spread over."""
        self._service = service
        self._seed = seed
        self._clients = clients
        self._largest = largest
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def wait_for_more(self, events: int, within: float = 40) -> None:
        """Return when so many more events are acknowledged than now."""
        goal = len(self.ledger.acknowledged) + events
        deadline = time.monotonic() + within
        while len(self.ledger.acknowledged) < goal:
            assert time.monotonic() < deadline, f"the load stands still: {self.ledger.answers}"
            time.sleep(0.02)

    def wait_for_refusals(self, requests: int, within: float = 40) -> None:
        """Return when so many more requests were answered 503."""
        goal = self.ledger.answers[503] + requests
        deadline = time.monotonic() + within
        while self.ledger.answers[503] < goal:
            assert time.monotonic() < deadline, f"nothing is refused: {self.ledger.answers}"
            time.sleep(0.02)

    async def _run(self) -> None:
        clients = [Client(self._service, self.ledger) for _ in range(self._clients)]
        sending = [
            asyncio.create_task(self._send(client, f"{self._seed}-{number}"))
            for number, client in enumerate(clients)
        ]
        while not self._ending.is_set():
            await asyncio.sleep(0.02)
        for client in clients:
            client.deadline = asyncio.get_running_loop().time() + self.patience
        await asyncio.gather(*sending)

    async def _send(self, client: Client, name: str) -> None:
        """New events, and among them a few that were sent before."""
        dice = random.Random(name)
        earlier: list[Sent] = []
        number = 0
        while not self._ending.is_set():
            size = dice.randint(1, self._largest)
            batch = make_events(dice, f"{name}-{number}", size, self.days)
            repeats = dice.choices(earlier, k=dice.randrange(10)) if earlier else []
            mixed = [*batch, *repeats]
            dice.shuffle(mixed)
            await client.deliver(mixed)
            earlier += batch[:3]
            number += 1
        client.close()


def _request(batch: Sequence[Sent]) -> tuple[str, bytes]:
    if len(batch) == 1:
        return "/api/v1/events", batch[0].document
    documents = b",".join(event.document for event in batch)
    return "/api/v1/events/batch", b'{"events":[' + documents + b"]}"
