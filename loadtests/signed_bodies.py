"""Signed requests, made anew as cheaply as others: what is new is patched in, then signed."""

import hmac
import random
import time
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from loadtests.bodies import USERS, column, digits, head, second_of
from service.accounts.derivations import signing_keys

ACCOUNT, WORKSPACE = "bench", "bench"
TOKEN = "x-optikpi-token"
_SIGNATURE = "x-hmac-signature"
_UNSIGNED = "0" * 64


class SignedEvents:
    """A request with `size` new gaming events each time, signed; one connection's own.

    The bytes that `next` returns are overwritten by the next call.
    """

    def __init__(
        self, path: str, headers: Mapping[str, str], size: int, run: str, numbers: Iterator[int]
    ) -> None:
        first, *others = (_event(run, number) for number in range(size))
        body = b"[" + b",".join([first, *others]) + b"]"
        start = head("POST", path, {**headers, _SIGNATURE: _UNSIGNED}, len(body))
        self._request = bytearray(start + body)
        self._body = memoryview(self._request)[len(start) :]
        self._signed_at = start.index(_UNSIGNED.encode())
        self._key = signing_keys(headers[TOKEN], ACCOUNT, WORKSPACE).keys["hkdf"]
        whole = np.frombuffer(self._request, np.uint8)[len(start) + 1 :]
        rows = np.lib.stride_tricks.as_strided(whole, (size, len(first)), (len(first) + 1, 1))
        self._number = column(rows, first, b"evt_" + run.encode() + b"_", 10)
        self._second = column(rows, first, b'"event_time":"', 19)
        self._numbers = numbers

    def next(self) -> bytearray:
        self._number[:] = digits(next(self._numbers))
        self._second[:] = np.frombuffer(second_of(int(time.time()) - 1), np.uint8)
        signature = hmac.new(self._key, self._body, "sha256").hexdigest()
        self._request[self._signed_at : self._signed_at + len(signature)] = signature.encode()
        return self._request


def _event(run: str, number: int) -> bytes:
    """A gaming event whose changing parts stand at the same place in all, all of one length."""
    won, user = random.randrange(10, 100), int(USERS * random.random() ** 3)
    return msgspec.json.encode(
        {
            "account_id": ACCOUNT,
            "workspace_id": WORKSPACE,
            "user_id": f"user_{user:08x}",
            "event_category": "Gaming Activity",
            "event_name": "Play Casino Game",
            "event_id": f"evt_{run}_{0:010d}_{number:03d}",
            "event_time": f"2026-01-01T00:00:00.{number:03d}Z",
            "wager_amount": 10.5,
            "win_amount": won + 0.25,
        }
    )
