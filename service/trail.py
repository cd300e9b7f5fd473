"""By what a request is followed: its id, in the log, in the answer, and on the stream.

Whoever calls may name it (`X-Request-Id`); otherwise it gets a name here.
"""

import itertools
import re
import secrets
from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from typing import Any

REQUESTS = "Headrace-Requests"
"""What a message on the stream has beside its body: the ids of the requests in it."""
TRACE = "traceparent"
"""The same for its trace, as W3C's Trace Context has it."""
MOST_NAMED = 16
"""Requests that one message names; further ones shared it with those."""

_GOOD = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,64}")
_request: ContextVar[str] = ContextVar("request", default="")
_start = secrets.token_hex(5)
_numbers = itertools.count(1)


def begin(given: bytes | None) -> str:
    """The id of a request that begins here: the given one, if it may stand in a log line.

    What this task and those that it starts log has it from now on.
    """
    named = given.decode() if given and _GOOD.fullmatch(given) else f"{_start}-{next(_numbers):x}"
    _request.set(named)
    return named


def current() -> str:
    """The id of the request that this is done for; empty where there is none."""
    return _request.get()


def named(requests: Iterable[str]) -> dict[str, str]:
    """What a message has beside its body if it carries these requests' events."""
    ids = [request for request in dict.fromkeys(requests) if request][:MOST_NAMED]
    return {REQUESTS: ",".join(ids)} if ids else {}


def tell(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the request's id to a line of the log, where there is one."""
    if request := _request.get():
        event.setdefault("request_id", request)
    return event
