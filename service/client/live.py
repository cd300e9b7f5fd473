"""Answers that go on: each document as it changes, over connections that are made again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec

from service.client.answers import Answer, Refusal
from service.client.connection import Connection, backoff
from service.client.problems import error_with
from service.errors import Retryable, UnexpectedAnswer, Unreachable

_PATH = "/api/v1/analytics/live"


async def documents(
    connection: Connection, parameters: dict[str, Any], kind: type[Any]
) -> AsyncIterator[Any]:
    """Each state of the answer as a `kind`, the newest at once, none twice.

    A connection that ends is made again with the id of the last state seen. Raises what the service
    refuses with, and the last error once nothing has answered for the connection's patience.
    """
    seen, failures, deadline = "", 0, None
    clock = asyncio.get_running_loop().time
    while True:
        try:
            async with connection.listening(_PATH, parameters, seen) as source:
                failures, deadline = 0, None
                async for event in source:
                    seen = event.id or seen
                    if event.data:
                        yield _document(event, kind)
            raise Unreachable("the stream has ended", 0)
        except Retryable as error:
            failures += 1
            deadline = deadline or clock() + connection.patience
            pause = backoff(failures, error.retry_after)
            if clock() + pause > deadline:
                raise
            await asyncio.sleep(pause)


def _document(event: httpx2.ServerSentEvent, kind: type[Any]) -> Any:
    """What an event carries. Raises the error that it tells of."""
    try:
        if event.event == "error":
            problem = msgspec.json.decode(event.data, type=Refusal).error
            raise error_with(problem.code)(problem.message)
        return msgspec.json.decode(event.data, type=Answer[kind]).data  # type: ignore[valid-type]
    except msgspec.DecodeError as error:
        raise UnexpectedAnswer(f"an event of another form: {error}") from error
