"""Builders that several folders of tests share: an event, a batch, a message, settings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from service.events import Batch, Event, Rows, pack, tenant_seed
from service.settings import Settings
from service.stream.protocol import Message

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TENANT = "env_test"


def an_event(event_id: str | None = "e1", after: float = 0, **fields: Any) -> Event:
    """An event `after` seconds past noon."""
    known = {"event_type": "click", "user_id": "ada", "session_id": "s1"}
    moment = NOON + timedelta(seconds=after)
    return Event(**{"event_id": event_id, "timestamp": moment, **known, **fields})


def a_batch(*events: Event | str, tenant: str = TENANT, received_at: int = 1) -> Batch:
    """A batch of events; a text is the event with that id."""
    rows = Rows.of([an_event(e) if isinstance(e, str) else e for e in events])
    return Batch(tenant, received_at, rows.columns(tenant_seed(tenant)))


def with_one_digest(batch: Batch) -> Batch:
    """The batch as if all its ids had the same digest."""
    columns = {n: batch.events[n] for n in batch.events.schema.names}
    columns["event_key"] = pa.array([7] * batch.events.num_rows, pa.uint64())
    schema = batch.events.schema
    return replace(batch, events=pa.record_batch(list(columns.values()), schema=schema))


def a_message(sequence: int, *events: Event | str, tenant: str = TENANT) -> Message:
    """The message at `sequence` that carries these events."""
    body = pack(a_batch(*events, tenant=tenant))
    return Message(sequence, f"m{sequence}", sequence * 1000, tenant, body)


def messages_of(*batches: Sequence[Event | str]) -> list[Message]:
    """A log: one message a batch, from sequence 1 on."""
    return [a_message(n, *events) for n, events in enumerate(batches, start=1)]


def quick_settings(**changed: Any) -> Settings:
    """Settings with which nothing waits longer than a test likes."""
    quick = {"group_seconds": 0.0, "coalesce_seconds": 0.001, "stream_max_bytes": 1 << 28}
    return Settings(**{**quick, "publish_timeout": 3.0, "dedupe_ids": 1000, **changed})
