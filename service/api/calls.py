"""A request as the handlers of whole paths get it."""

from typing import Any


class Call:
    """What a handler needs of a request: where it comes in."""

    __slots__ = ("receive", "scope")

    def __init__(self, scope: Any, receive: Any) -> None:
        self.scope = scope
        self.receive = receive
