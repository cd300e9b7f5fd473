"""WebSockets at the edge: the credential that a browser can send, and answers that refuse.

A browser's WebSocket has no headers of its own: a key or token comes as a subprotocol, which the
server has to name in turn.
"""

import re
from typing import Any

from litestar.types import Send

from service.accounts.tokens import is_token
from service.api.answers import Answer

_KEY = "evp_"
_BEARER = re.compile(rb"(^|,)\s*Bearer\s+", re.IGNORECASE)


def prepare(scope: Any) -> None:
    """Make the scope of a handshake look like that of the GET that it is."""
    scope["method"] = "GET"
    names = {name for name, _ in scope["headers"]}
    credential = next(filter(_is_credential, scope["subprotocols"]), None)
    if credential and not names & {b"authorization", b"x-api-key"}:
        scope["headers"] = [
            *scope["headers"],
            (b"authorization", f"Bearer {credential}".encode("latin-1")),
        ]


def bare_subprotocols(header: bytes) -> bytes:
    """The subprotocols without the word before a credential: a subprotocol has no blanks in it, so
    that nobody would read `Authorization, Bearer eyJ…` otherwise.
    """
    return _BEARER.sub(rb"\1", header)


def subprotocol_of(scope: Any) -> str | None:
    """Which of the client's the server speaks: one that is no credential, if there is one."""
    offered: list[str] = scope["subprotocols"]
    return next((name for name in offered if not _is_credential(name)), next(iter(offered), None))


async def refuse(answer: Answer, send: Send) -> None:
    """Answer a handshake as if it had been a request: there will be no WebSocket."""
    await send(
        {
            "type": "websocket.http.response.start",
            "status": answer.status,
            "headers": answer.answer_headers,
        }
    )
    await send({"type": "websocket.http.response.body", "body": answer.content, "more_body": False})


def _is_credential(name: str) -> bool:
    return name.startswith(_KEY) or is_token(name)
