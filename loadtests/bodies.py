"""Requests built once and sent many times: what makes each one new is patched into its bytes.

Making a batch of 500 new events costs a few microseconds, so that the generator measures the
service and not itself. An event has exactly `EVENT_BYTES` bytes; ids never repeat.
"""

import itertools
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
import numpy as np

EVENT_BYTES = 300
"""Bytes of one event, its comma included."""
USERS = 100_000
EVENT_TYPES = ("page_view", "click", "scroll", "search", "view_item", "add_to_cart", "purchase")
WEIGHTS = (40, 25, 12, 9, 7, 5, 2)
_SESSIONS = 400
"""Sessions that the events of one batch are scattered over."""
_BATCHES_A_SESSION = 8
_NUMBER = b"%010d"


def head(
    method: str,
    path: str,
    headers: Mapping[str, str],
    length: int | None = None,
    host: str = "127.0.0.1",
) -> bytes:
    """The head of a request over HTTP/1.1 on a connection that stays open."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if length is not None:
        lines += ["content-type: application/json", f"content-length: {length}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Question:
    """Requests without a body, in turn."""

    def __init__(self, paths: Sequence[str], headers: Mapping[str, str]) -> None:
        self._requests = itertools.cycle(bytearray(head("GET", path, headers)) for path in paths)

    def next(self) -> bytearray:
        return next(self._requests)


class Events:
    """A request with `size` new events each time, of the last two seconds; one connection's own.

    `size` 0 means the body of a single event, not a batch of one. The bytes that `next` returns
    are overwritten by the next call: call it when the answer to the last one is there.
    """

    def __init__(
        self, path: str, headers: Mapping[str, str], size: int, run: str, numbers: Iterator[int]
    ) -> None:
        count = size or 1
        rows = b",".join(_event(run, number) for number in range(count))
        body = b'{"events":[' + rows + b"]}" if size else rows
        start = head("POST", path, headers, len(body))
        self._request = bytearray(start + body)
        at = len(start) + body.index(rows)
        whole = np.frombuffer(self._request, np.uint8)
        padded = np.lib.stride_tricks.as_strided(
            whole[at:], (count, EVENT_BYTES - 1), (EVENT_BYTES, 1)
        )
        first = bytes(rows[: EVENT_BYTES - 1])
        self._number = column(padded, first, b"evt_" + run.encode() + b"_", 10)
        self._session = column(padded, first, b"session_", 10)
        self._second = column(padded, first, b'"timestamp":"', 19)
        self._numbers = numbers

    def next(self) -> bytearray:
        number = next(self._numbers)
        self._number[:] = digits(number)
        self._session[:] = digits(number // _BATCHES_A_SESSION)
        self._second[:] = np.frombuffer(second_of(int(time.time()) - 1), np.uint8)
        return self._request


def _event(run: str, number: int) -> bytes:
    """An event of `EVENT_BYTES` - 1 bytes whose changing parts stand at the same place in all."""
    user = int(USERS * random.random() ** 3)
    event = {
        "eventId": f"evt_{run}_{0:010d}_{number:03d}",
        "sessionId": f"session_{0:010d}_{random.randrange(_SESSIONS):03d}",
        "timestamp": f"2026-01-01T00:00:00.{random.randrange(1000):03d}Z",
        "userId": f"user_{user:08x}",
        "eventType": random.choices(EVENT_TYPES, WEIGHTS)[0],
        "metadata": {"source": random.choice(("web", "ios", "android"))},
        "payload": {"amount": round(random.gammavariate(2, 20), 2), "page": "/"},
        "priority": 1,
    }
    short = EVENT_BYTES - 1 - len(msgspec.json.encode(event))
    page = f"products/{random.getrandbits(40):010x}/reviews?sort=newest&campaign=".ljust(200, "x")
    return msgspec.json.encode(event).replace(b'"/"', b'"/%b"' % page[:short].encode())


def column(rows: np.ndarray, first: bytes, after: bytes, width: int) -> np.ndarray:
    """Where all rows have what stands in the first one after this text, to be written over."""
    start = first.index(after) + len(after)
    return rows[:, start : start + width]


def digits(number: int) -> np.ndarray:
    """A number as ten digits."""
    return np.frombuffer(_NUMBER % number, np.uint8)


@lru_cache(1)
def second_of(second: int) -> bytes:
    """A moment in ISO 8601, to the second, in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
