"""uvicorn's WebSocket protocol, for connections that can be held, cut off and left."""

from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from service.api.holding import Holding
from service.api.streams import CONNECTION

LARGEST_MESSAGE = 4096
"""Bytes that a client may send: nobody listens to it."""
_FAREWELL = 1.0


class HeadraceSocket(Holding, WebSocketsSansIOProtocol):
    """One WebSocket. Pass it as `uvicorn.Config(ws=HeadraceSocket, ws_per_message_deflate=False)`:
    what compresses has memory of its own for each connection.
    """

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[CONNECTION] = self

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response and self.close_sent:
            self.handshake_complete = True  # by a refusal, which uvicorn takes for a mistake

    def leave(self) -> None:
        """Tell the client that the service restarts (1012)."""
        self.shutdown()

    def shutdown(self) -> None:
        super().shutdown()
        self.ending()
        self.cut(_FAREWELL)
