"""NATS_TARGET: records as messages of the subject that the subscription names as its table.

Delivery: effectively once. Each message has its place as its `Nats-Msg-Id`, by which the stream
leaves out what comes again within its duplicate window (two minutes unless it says else), and says
in `headrace-after` which place everything before it is kept up to: a worker that goes on later than
that reads it from the subject's last message, as long as nobody else publishes there. Then at most
one batch is doubled.

Records keep their order. A stream of JetStream has to take the subject; none is made.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from nats.aio.client import Client
from nats.errors import MaxPayloadError
from nats.js.errors import NotFoundError

from service.errors import ConnectorBroken, TargetUnavailable
from service.pipelines.connectors.nats_line import NatsLine, NatsServers
from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.model import Outgoing, Place, Refused

AFTER = "headrace-after"
AT_ONCE = 200
"""Messages on their way."""
_NOWHERE = Place(0, 0)


class NatsTarget(NatsServers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which servers; the subject is what the subscription names as its table."""


async def open_nats_target(config: NatsTarget, surroundings: Surroundings) -> Target:
    """Raises InvalidInput, ConnectorBroken or TargetUnavailable."""
    if not surroundings.table:
        raise ConnectorBroken("the subscription names no subject as its target's table")
    target = _NatsTarget(NatsLine(config, surroundings, TargetUnavailable), surroundings)
    await target.ping()
    return target


async def check_nats_target(config: NatsTarget, surroundings: Surroundings) -> None:
    """Connects. Raises as opening does."""
    line = NatsLine(config, surroundings, TargetUnavailable)
    try:
        async with line.asking() as client:
            await client.jetstream().account_info()
    finally:
        await line.close()


class _NatsTarget:
    def __init__(self, line: NatsLine, surroundings: Surroundings) -> None:
        self._line = line
        self._subject = surroundings.table
        self._mine = surroundings.places_of
        self._after: Place | None = None
        """Everything up to here is kept; None while that is not known."""

    async def written(self) -> Place | None:
        async with self._line.asking() as client:
            self._after = await self._told(client)
        return None if self._after == _NOWHERE else self._after

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        if not batch:
            return []
        refused: list[Refused] = []
        async with self._line.asking() as client:
            if self._after is None:
                self._after = await self._told(client)
            for start in range(0, len(batch), AT_ONCE):
                refused += await self._publish(client, batch[start : start + AT_ONCE])
        self._after = max(self._after, batch[-1].place)
        return refused

    async def ping(self) -> None:
        async with self._line.asking() as client:
            await self._stream(client)

    async def close(self) -> None:
        await self._line.close()

    async def _stream(self, client: Client) -> str:
        try:
            return await client.jetstream().find_stream_name_by_subject(self._subject)
        except NotFoundError:
            about = f"no stream of these servers takes the subject {self._subject!r}"
            raise ConnectorBroken(about) from None

    async def _told(self, client: Client) -> Place:
        """What the subject's last message says, if it is one of ours."""
        stream = await self._stream(client)
        with suppress(NotFoundError, ValueError):
            last = await client.jetstream().get_last_msg(stream, self._subject)
            owner, _, after = (last.headers or {}).get(AFTER, "").partition(" ")
            if owner == self._mine:
                return Place.read(after)
        return _NOWHERE

    async def _publish(self, client: Client, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        publishing = [asyncio.ensure_future(self._keep(client, one)) for one in batch]
        try:
            told = await asyncio.gather(*publishing)
        finally:
            for one in publishing:
                one.cancel()
            await asyncio.gather(*publishing, return_exceptions=True)
        return [refused for refused in told if refused]

    async def _keep(self, client: Client, one: Outgoing) -> Refused | None:
        assert self._after is not None
        headers = {
            "Nats-Msg-Id": f"{self._mine}.{one.place.text}",
            AFTER: f"{self._mine} {self._after.text}",
        }
        body = msgspec.json.encode(one.record)
        try:
            await client.jetstream().publish(
                self._subject, body, timeout=self._line.patience, headers=headers
            )
        except MaxPayloadError:
            return Refused(one.place, f"{len(body)} bytes are more than the server takes")
        return None
