"""Rows as a busy service stores them, made by rule: the same seed gives the same rows.

Eight days in time order, one tenant with 80 % of the events, a hundred thousand users of whom a
few are very active, sessions of about ten events interleaved with others, twenty event types.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.events import COLUMNS, digest, tenant_seed

TENANTS = ("env_default", "env_blue", "env_green", "env_red", "env_white")
EVENT_TYPES = (
    "page_view", "click", "scroll", "search", "view_item", "add_to_cart", "impression",
    "video_play", "video_pause", "form_start", "form_submit", "login", "logout", "purchase",
    "share", "download", "remove_from_cart", "signup", "refund", "error",
)  # fmt: skip
USERS = 100_000
EVENTS_PER_SESSION = 10
EVENTS_PER_MESSAGE = 500
DAYS = 8
DAY = 86_400_000
_INTERLEAVED = 2_000
"""Events among which the events of one session are scattered."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many rows, when the last one happened (ms since 1970 UTC), and the seed."""

    count: int
    end: int
    seed: int = 1


def rows(shape: Shape, group: int = 50_000) -> Iterator[pa.Table]:
    """Tables of at most `group` rows in the column order of the table `events`.

    `group` is a multiple of 500: that many events share a stream message.
    """
    for first in range(0, shape.count, group):
        yield _group(shape, first, min(first + group, shape.count))


def _group(shape: Shape, first: int, last: int) -> pa.Table:
    random = np.random.default_rng((shape.seed, first))
    number = np.arange(first, last)
    session = (number + random.integers(0, _INTERLEAVED, number.size)) // EVENTS_PER_SESSION
    tenant, user = _owners(shape, session)
    moment = shape.end - DAYS * DAY + (number + 1) * (DAYS * DAY) // (shape.count + 1)
    amount = np.round(random.gamma(2.0, 20.0, number.size), 2)
    return pa.table(
        {
            "position": pa.array(1 + number // EVENTS_PER_MESSAGE, pa.uint64()),
            "ordinal": pa.array(number % EVENTS_PER_MESSAGE, pa.uint32()),
            "tenant": pa.array(TENANTS).take(pa.array(tenant)),
            "event_id": _names("evt_", _mixed(number, shape.seed)),
            "event_key": pa.array(_mixed(number, shape.seed + 1), pa.uint64()),
            "event_type": _event_types(random, number.size),
            **_keyed("user", "user_", user, tenant),
            **_keyed("session", "session_", session, tenant),
            "source": pa.array(("web", "ios", "android")).take(
                pa.array(random.integers(0, 3, number.size))
            ),
            "timestamp": pa.array(moment, pa.int64()),
            "received_at": pa.array(moment + 120, pa.int64()),
            "priority": pa.array(np.ones(number.size), pa.uint8()),
            "metadata": _metadata(random, number.size),
            "payload": _payloads(amount),
            "numbers": _numbers(amount),
        }
    )


def _owners(shape: Shape, session: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tenant and the user of each session, by their numbers."""
    chance = _mixed(session, shape.seed + 2) / 2.0**64
    share = _mixed(session, shape.seed + 3) / 2.0**64
    tenant = np.where(chance < 0.8, 0, 1 + (chance * 20).astype(np.int64) % 4)
    return tenant, (USERS * share**3).astype(np.int64)


def _event_types(random: np.random.Generator, size: int) -> pa.Array:
    weights = 1 / np.arange(1, len(EVENT_TYPES) + 1)
    chosen = random.choice(len(EVENT_TYPES), size, p=weights / weights.sum())
    return pa.array(EVENT_TYPES).take(pa.array(chosen))


def _keyed(name: str, prefix: str, number: np.ndarray, tenant: np.ndarray) -> dict[str, pa.Array]:
    """The columns `<name>_id` and `<name>_key` for numbered users or sessions of tenants."""
    pairs, where = np.unique(number * len(TENANTS) + tenant, return_inverse=True)
    seeds = [tenant_seed(t) for t in TENANTS]
    ids = [f"{prefix}{pair // len(TENANTS):08x}" for pair in pairs.tolist()]
    keys = [
        digest(i, seeds[pair % len(TENANTS)]) for i, pair in zip(ids, pairs.tolist(), strict=True)
    ]
    index = pa.array(where)
    return {
        f"{name}_id": pa.array(ids).take(index),
        f"{name}_key": pa.array(keys, pa.uint64()).take(index),
    }


def _mixed(number: np.ndarray, seed: int) -> np.ndarray:
    """SplitMix64 of the numbers: 64 bits that look random and never repeat."""
    with np.errstate(over="ignore"):
        z = number.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 & 2**64 - 1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _names(prefix: str, numbers: np.ndarray) -> pa.Array:
    text = pc.cast(pa.array(numbers, pa.uint64()), pa.string())
    return pc.binary_join_element_wise(prefix, text, "")


def _metadata(random: np.random.Generator, size: int) -> pa.Array:
    kinds = [
        f'{{"source":"web","campaign":"campaign_{c}","browser":"Chrome/{120 + c % 9}"}}'
        for c in range(200)
    ]
    return pa.array(kinds).take(pa.array(random.integers(0, len(kinds), size)))


def _payloads(amount: np.ndarray) -> pa.Array:
    text = pc.cast(pa.array(amount), pa.string())
    return pc.binary_join_element_wise('{"referrer":"example.org","amount":', text, "}", "")


def _numbers(amount: np.ndarray) -> pa.MapArray:
    offsets = pa.array(np.arange(amount.size + 1), pa.int32())
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(amount.size), pa.int32()), ["amount"])
    return pa.MapArray.from_arrays(offsets, names.cast(pa.string()), pa.array(amount)).cast(
        COLUMNS.field("numbers").type
    )
