"""One question, asked of a running service and shown as it was wished for."""

import ssl
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec
from rich.console import Console

from service.client import Client, ClientOptions
from service.terminal.drawing import draw

PATIENCE = 3.0
"""Seconds to try for a service that may not be there at all."""
SLOWEST = 120.0


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked: of which kind, as which document, and how the answer shall come."""

    kind: str
    """As the routes below `/api/v1/analytics` are named: `query`, `sql`."""
    document: bytes
    form: str = "table"
    """`table`, or a form of the service: `json`, `csv`, `ndjson`."""


async def inquire(
    inquiry: Inquiry,
    url: str,
    key: str,
    console: Console,
    out: BinaryIO,
    trust: ssl.SSLContext | bool = True,
) -> None:
    """Ask, and draw the answer on the console or write it to `out` as it came.

    Raises what the service refuses with; Unreachable if it is not there.
    """
    options = ClientOptions(patience=PATIENCE, timeout=SLOWEST, trust=trust)
    form = "json" if inquiry.form == "table" else inquiry.form
    async with Client(url, key, options) as client:
        answer = await client.ask(inquiry.kind, inquiry.document, form)
    if inquiry.form == "table":
        draw(console, _data(answer))
    else:
        out.write(msgspec.json.encode(_data(answer)) + b"\n" if form == "json" else answer)


def _data(answer: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(answer)["data"]
    return found
