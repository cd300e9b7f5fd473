"""WAREHOUSE_TARGET: records become events of the pipeline's environment.

Delivery: effectively once. An event's id is the record's `event_id`, or is made of its primary
key, or of the subscription and the record's place, so that a record that comes again counts once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from service.errors import ConnectorBroken, IngestionUnavailable, TargetUnavailable, TooLarge
from service.events import MAX_ID_LENGTH, Event, EventType, Priority
from service.ingest import Ingest, Rejected
from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.model import Outgoing, Place, Refused

PIPELINE = "_pipeline"
"""The member of an event's metadata that says which pipeline wrote it."""
_FIELDS = frozenset({"event_id", "event_type", "user_id", "session_id", "timestamp", "priority"})

_Name = Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)]


class WarehouseTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys of a record named as an event's fields fill them; all others go into the payload."""

    event_type: EventType = "record"
    """Of records that have none."""
    source: Annotated[str, msgspec.Meta(max_length=100)] = "pipeline"
    """Of records that have none."""


async def open_warehouse(config: WarehouseTarget, surroundings: Surroundings) -> Target:
    """Raises ConnectorBroken where there is no way into the event store."""
    if surroundings.ingest is None:
        raise ConnectorBroken("this process does not take events in")
    return _Warehouse(config, surroundings, surroundings.ingest)


class _Warehouse:
    def __init__(self, config: WarehouseTarget, surroundings: Surroundings, ingest: Ingest) -> None:
        self._config = config
        self._tenant = surroundings.tenant
        self._pipeline = surroundings.pipeline_id
        self._seed = f"{surroundings.tenant}\0{surroundings.subscription_id}"
        self._ingest = ingest

    async def written(self) -> Place | None:
        return None  # ids tell repeats apart

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        return await self._send(batch) if batch else []

    async def _send(self, batch: Sequence[Outgoing]) -> list[Refused]:
        records = [self._event(index, one) for index, one in enumerate(batch)]
        try:
            verdict = await self._ingest.accept(self._tenant, records)
        except IngestionUnavailable as error:
            raise TargetUnavailable(str(error), error.retry_after) from error
        except TooLarge as error:
            if len(batch) == 1:
                return [Refused(batch[0].place, str(error))]
            half = len(batch) // 2
            return await self._send(batch[:half]) + await self._send(batch[half:])
        return [Refused(batch[one.index].place, one.message) for one in verdict.rejected]

    def _event(self, index: int, one: Outgoing) -> Event | Rejected:
        record = one.record
        named = {name: record[name] for name in _FIELDS if record.get(name) is not None}
        try:
            given = msgspec.convert(named, _Given)
        except msgspec.ValidationError as error:
            return Rejected(index, None, "VALIDATION_ERROR", None, str(error))
        return Event(
            event_type=given.event_type or self._config.event_type,
            user_id=given.user_id,
            session_id=given.session_id,
            timestamp=given.timestamp or datetime.fromtimestamp(one.time / 1000, UTC),
            priority=given.priority,
            metadata={
                "source": record.get("source") or self._config.source,
                PIPELINE: self._pipeline,
            },
            payload={k: v for k, v in record.items() if k not in _FIELDS and k != "source"},
            event_id=given.event_id or self._id(one),
        )

    def _id(self, one: Outgoing) -> str:
        same = _key_of(one.record, one.primary_key) if one.primary_key else one.place.text.encode()
        name = self._seed.encode() + b"\0" + same
        return f"rec_{hashlib.blake2b(name, digest_size=16).hexdigest()}"

    async def ping(self) -> None:
        """Nothing to ask: a stream that is away is met when records are written."""

    async def close(self) -> None:
        """Nothing to close: the way in belongs to the service."""


class _Given(msgspec.Struct):
    event_id: _Name = ""
    event_type: Annotated[str, msgspec.Meta(max_length=100)] = ""
    user_id: _Name = ""
    session_id: _Name = ""
    timestamp: datetime | None = None
    priority: Priority = 1


def _key_of(record: Mapping[str, Any], primary_key: Sequence[str]) -> bytes:
    return msgspec.json.encode([record[name] for name in primary_key])
