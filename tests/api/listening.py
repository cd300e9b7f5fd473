"""Reading server-sent events as a client that shows every line of them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

LIVE = "/api/v1/analytics/live"


@dataclass(frozen=True)
class Told:
    """One event."""

    document: Any
    id: str = ""
    event: str = "message"


class Ear:
    """What comes on a stream, event by event. Heartbeats are counted."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self.heartbeats = 0
        self._events = self._read()

    async def next(self) -> Told:
        """The next event; StopAsyncIteration when the server has ended the stream."""
        return await anext(self._events)

    async def rest(self) -> list[Told]:
        """All events up to the end."""
        return [told async for told in self._events]

    async def _read(self) -> AsyncIterator[Told]:
        fields: dict[str, str] = {}
        async for line in self.answer.aiter_lines():
            name, _, value = line.partition(":")
            if line == ":":
                self.heartbeats += 1
            elif name:
                fields[name] = value.removeprefix(" ")
            elif "data" not in fields:
                fields = {}
            else:
                document = json.loads(fields["data"])
                yield Told(document, fields.get("id", ""), fields.get("event", "message"))
                fields = {}


@asynccontextmanager
async def listening(
    client: httpx2.AsyncClient, query: str = "", **headers: str
) -> AsyncIterator[Ear]:
    """Listen; `last_event_id="…"` becomes the header of that name."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.stream("GET", f"{LIVE}?{query}", headers=named) as answer:
        if answer.status_code != 200:
            raise AssertionError((await answer.aread()).decode())
        yield Ear(answer)
