"""How a broker stands, told by itself: for whoever looks at it and changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import nats
import nats.errors
from nats.aio.client import Client as Connection

from service.stream import subjects


@dataclass(frozen=True, slots=True)
class Standing:
    """The events' stream and its server, as they are now. Sizes in bytes, times in ms."""

    version: str
    max_payload: int
    clock: int
    """The server's clock, ms since 1970 UTC."""
    bytes: int
    max_bytes: int
    last_sequence: int
    duplicate_window: float
    """Seconds."""
    replicas: int
    behind: int
    """Copies that are away, or have not all."""
    dead_letters: int


async def look(url: str, seconds: float) -> Standing:
    """Ask the broker, within so many seconds; nothing is made there.

    Raises ConnectionError with the reason: it is away, refuses us, or has no such stream.
    """
    connection = Connection()
    complaints: list[Exception] = [ConnectionError("it does not answer in time")]

    async def complain(error: Exception) -> None:
        complaints.append(error)

    try:
        async with asyncio.timeout(seconds):
            servers = url.replace(" ", "").split(",")
            await connection.connect(servers, name="headrace doctor", error_cb=complain)
            return await _standing(connection, seconds)
    except TimeoutError:
        raise ConnectionError(_said(complaints[-1])) from complaints[-1]
    except (nats.errors.Error, OSError) as error:
        raise ConnectionError(_said(error)) from error
    finally:
        await connection.close()


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _standing(connection: Connection, seconds: float) -> Standing:
    async def ask(name: str) -> dict[str, Any]:
        answer = await connection.request(f"$JS.API.STREAM.INFO.{name}", b"", timeout=seconds)
        return _told(msgspec.json.decode(answer.data))

    events = await ask(subjects.EVENTS)
    config, held = events["config"], events["state"]
    server = connection.connected_server_version
    return Standing(
        version=f"{server.major}.{server.minor}.{server.patch}",
        max_payload=connection.max_payload,
        clock=int(datetime.fromisoformat(events["ts"]).timestamp() * 1000),
        bytes=held["bytes"],
        max_bytes=config["max_bytes"],
        last_sequence=held["last_seq"],
        duplicate_window=config["duplicate_window"] / 1_000_000_000,
        replicas=config["num_replicas"],
        behind=_behind(events.get("cluster", {})),
        dead_letters=await _letters(ask),
    )


async def _letters(ask: Callable[[str], Awaitable[dict[str, Any]]]) -> int:
    return int((await ask(subjects.DEAD_LETTERS))["state"]["messages"])


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise ConnectionError(answer["error"]["description"])
    return answer


def _behind(cluster: dict[str, Any]) -> int:
    copies = cluster.get("replicas", [])
    return sum(bool(copy.get("offline")) or not copy.get("current") for copy in copies)
