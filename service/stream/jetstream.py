"""The stream on NATS JetStream.

Publishing is request and answer with our own retries; reading is JetStream's batched direct get,
which keeps no consumer state on the broker: the store's progress mark alone says what comes next.
Delivery: at least once into the log, exactly once out of it (the writer judges repeats).
"""

import asyncio
import itertools
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
import nats
import nats.errors
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg

from service.errors import IngestionUnavailable, TooLarge
from service.stream import subjects
from service.stream.bucket import HISTORY, NO_MESSAGE, STREAM_FULL, ApiError, Bucket
from service.stream.journal import Asked, Journal, Shape
from service.stream.protocol import DeadLetter, Message, Receipt, StreamState
from service.telemetry import log
from service.trail import REQUESTS, TRACE

ATTEMPT_TIMEOUT = 2.0
"""Seconds after which one try of a publish is given up and the same id is sent again."""
READ_TIMEOUT = 5.0
REVIVE_PAUSE = 3.0
"""Seconds between two attempts to have a stuck broker started anew."""
POLL = 0.02
"""Seconds between looks at an idle log that another process writes to."""
LARGEST_READ = 8 * 1024 * 1024
_NOT_FOUND = 10059
_NOT_DELETED, _IS_GONE = 10057, "no message found"
"""JetStream's answer to who deletes a message that another has deleted meanwhile."""
_HEADROOM = 4096
"""Bytes of a message that its headers may take."""
_LONGEST_REASON = 500
_LOST = (
    nats.errors.Error,
    OSError,
    TimeoutError,
)


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _PublishAnswer(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_decode_publish_answer = msgspec.json.Decoder(_PublishAnswer).decode


Revive = Callable[[], Awaitable[None]]


class JetStream:
    """A `Stream` on one NATS server or cluster. Make it with `open_jetstream`.

    A server whose disk was full answers questions but keeps nothing more until it is started anew,
    also when there is space again: `revive` is asked to do that.
    """

    def __init__(self, connection: Connection, revive: Revive | None = None) -> None:
        self.connections = 0
        self._nats = connection
        self._revive = revive
        self._reviving: asyncio.Task[None] | None = None
        self._kept = 0
        self._published = asyncio.Event()
        self._reads: dict[str, asyncio.Queue[Msg | None]] = {}
        self._read_numbers = itertools.count()
        self._read_inbox = connection.new_inbox()
        self._replicas = 1

    async def prepare(self, max_bytes: int, duplicate_window: int, replicas: int = 1) -> None:
        """Make the streams, or bring their limits and the number of their copies up to date."""
        self._replicas = replicas
        await self._nats.subscribe(f"{self._read_inbox}.*", cb=self._take_read)
        await self._nats.flush()
        common = {
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "allow_direct": True,
            "num_replicas": replicas,
            "duplicate_window": duplicate_window * 1_000_000_000,
        }
        await self._make(
            {**common, "name": subjects.EVENTS, "subjects": [subjects.EVERY_EVENT]}
            | {"max_bytes": max_bytes}
        )
        await self._make(
            {**common, "name": subjects.DEAD_LETTERS, "subjects": [subjects.EVERY_DEAD_LETTER]}
            | {"max_bytes": max_bytes}
        )

    async def publish(
        self,
        tenant: str,
        message_id: str,
        body: bytes,
        timeout: float,
        notes: Mapping[str, str] | None = None,
    ) -> Receipt:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause, reason = 0.05, "no time was left"
        self._check_size(body)
        headers = {**(notes or {}), "Nats-Msg-Id": message_id}
        while (left := deadline - loop.time()) > 0:
            kept = self._kept
            try:
                return await self._publish_once(tenant, headers, body, min(left, ATTEMPT_TIMEOUT))
            except ApiError as error:
                if error.code in STREAM_FULL:
                    raise IngestionUnavailable(f"the stream is full: {error}", 5.0) from error
                reason = str(error)
            except _LOST as error:
                reason = str(error) or type(error).__name__
                if isinstance(error, TimeoutError) and kept == self._kept:
                    self._suspect_broker()
            await asyncio.sleep(min(pause, max(0.0, deadline - loop.time())))
            pause = min(pause * 2, 0.5)
        raise IngestionUnavailable(
            f"the stream did not acknowledge in {timeout:g} s: {reason}", 1.0
        )

    def _check_size(self, body: bytes) -> None:
        """A broker that gets more than it takes ends the connection of all who share it."""
        if len(body) > self._nats.max_payload - _HEADROOM:
            raise TooLarge("the batch is larger than the broker takes; send less")

    async def _publish_once(
        self, tenant: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> Receipt:
        answer = await self._nats.request(
            subjects.events(tenant), body, timeout=timeout, headers=headers
        )
        result = _decode_publish_answer(answer.data)
        if result.error:
            raise ApiError(result.error.err_code, result.error.description)
        self._kept += 1
        self._published.set()
        return Receipt(result.seq, result.duplicate)

    def _suspect_broker(self) -> None:
        """It has kept nothing of anybody during a whole attempt."""
        if self._revive and (self._reviving is None or self._reviving.done()):
            self._reviving = asyncio.create_task(self._revive_if_stuck(self._revive))

    async def _revive_if_stuck(self, revive: Revive) -> None:
        try:
            await self.state()
        except ConnectionError:
            return  # away, not stuck
        log().error("stream.stuck", advice="a full disk? it is started anew once there is space")
        await revive()
        await asyncio.sleep(REVIVE_PAUSE)

    async def read(self, after: int, messages: int, wait: float) -> Sequence[Message]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            self._published.clear()
            found = await self._read_once(subjects.EVENTS, {"seq": after + 1, "batch": messages})
            if found or loop.time() >= deadline:
                return [_message(m) for m in found]
            with suppress(TimeoutError):
                await asyncio.wait_for(self._published.wait(), POLL)

    async def _read_once(self, stream: str, asked: Mapping[str, Any]) -> list[Msg]:
        """One batched direct get: the messages that follow one another without a break."""
        token = str(next(self._read_numbers))
        queue = self._reads[token] = asyncio.Queue()
        request = {"max_bytes": LARGEST_READ, **asked}
        try:
            await self._nats.publish(
                f"$JS.API.DIRECT.GET.{stream}",
                msgspec.json.encode(request),
                reply=f"{self._read_inbox}.{token}",
            )
            async with asyncio.timeout(READ_TIMEOUT):
                return await _collect(queue)
        except _LOST as error:
            raise ConnectionError(f"the broker is away: {error or type(error).__name__}") from error
        finally:
            del self._reads[token]

    async def _take_read(self, message: Msg) -> None:
        if queue := self._reads.get(message.subject.rpartition(".")[2]):
            queue.put_nowait(message)

    async def end_reads(self) -> None:
        """Give up the reads under way: the connection that would answer them is gone."""
        self.connections += 1
        for queue in self._reads.values():
            queue.put_nowait(None)

    async def message_id(self, sequence: int) -> str | None:
        # Of the leader: a direct get may be answered by a copy that is a little behind.
        try:
            found = await self._api(f"STREAM.MSG.GET.{subjects.EVENTS}", {"seq": sequence})
        except ApiError as error:
            if error.code != NO_MESSAGE:
                raise
            return None
        lines = b64decode(found["message"].get("hdrs", "")).decode().split("\r\n")
        headers = dict(line.partition(":")[::2] for line in lines)
        return headers.get("Nats-Msg-Id", "").strip()

    async def state(self) -> StreamState:
        info = await self._api(f"STREAM.INFO.{subjects.EVENTS}")
        held = info["state"]
        return StreamState(info["created"], held["first_seq"], held["last_seq"], held["bytes"])

    async def purge(self, before: int) -> None:
        await self._api(f"STREAM.PURGE.{subjects.EVENTS}", {"seq": before})

    async def put_dead_letter(self, tenant: str, origin: int, reason: str, body: bytes) -> None:
        text = " ".join(reason.encode("ascii", "replace").decode().split())
        headers = {
            "Nats-Msg-Id": f"dead-{origin}",
            "Headrace-Origin": str(origin),
            "Headrace-Reason": text[:_LONGEST_REASON],
        }
        # Whoever else writes to the stream may fill a message to the brim: the flow must go on.
        kept = body[: self._nats.max_payload - _HEADROOM]
        answer = await self._request(subjects.dead_letters(tenant), kept, headers)
        if error := _decode_publish_answer(answer.data).error:
            raise ConnectionError(f"the dead letter was not kept: {error.description}")

    async def dead_letters(
        self, after: int, limit: int, tenant: str | None = None
    ) -> Sequence[DeadLetter]:
        subject = subjects.dead_letters(tenant) if tenant else subjects.EVERY_DEAD_LETTER
        asked = {"seq": after + 1, "batch": limit, "next_by_subj": subject}
        found = await self._read_once(subjects.DEAD_LETTERS, asked)
        return [_dead_letter(m) for m in found]

    async def count_dead_letters(self) -> int:
        info = await self._api(f"STREAM.INFO.{subjects.DEAD_LETTERS}")
        count: int = info["state"]["messages"]
        return count

    async def discard_dead_letter(self, sequence: int) -> None:
        try:
            await self._api(f"STREAM.MSG.DELETE.{subjects.DEAD_LETTERS}", {"seq": sequence})
        except ApiError as error:
            if error.code != _NOT_DELETED or _IS_GONE not in str(error):
                raise

    async def bucket(self, name: str) -> Bucket:
        """Named values on the same broker, made if they are not there; waits until it answers."""
        opened = Bucket(name, self._nats, self._api, self._request, _sequence_of)
        config = {
            "name": subjects.bucket(name),
            "subjects": [subjects.value(name, ">")],
            "storage": "file",
            "num_replicas": self._replicas,
            "discard": "new",
            "max_msgs_per_subject": HISTORY,
            "deny_delete": True,
            "allow_rollup_hdrs": True,
        }
        pause = 0.1
        while True:
            try:
                await self._make(config)
                await opened.listen()
                return opened
            except _LOST as error:
                log().warning("start.waiting", part=name, reason=str(error) or type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def journal(self, shape: Shape) -> Journal:
        """A log beside the events', made if it is not there. Raises ConnectionError."""
        kept = {"storage": "file", "retention": "limits", "allow_direct": True}
        await self._make({**kept, "num_replicas": self._replicas, **shape.config()})
        asking = Asked(self._api, self._request, self._read_once, _sequence_of)
        return Journal(shape, asking, self._nats.max_payload - _HEADROOM)

    async def entries(self, subject: str) -> int:
        """How many entries there are in all journals of subjects below this one.

        Raises ConnectionError.
        """
        count: int = 0
        seen = 0
        while True:
            page = await self._api("STREAM.LIST", {"subject": subject, "offset": seen})
            streams = page["streams"] or []
            count += sum(one["state"]["messages"] for one in streams)
            seen += len(streams)
            if not streams or seen >= page["total"]:
                return count

    async def ping(self) -> None:
        await self.state()

    async def close(self) -> None:
        if self._reviving:
            self._reviving.cancel()
        await self._nats.close()

    async def _make(self, config: dict[str, Any]) -> None:
        try:
            await self._api(f"STREAM.INFO.{config['name']}")
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            await self._api(f"STREAM.CREATE.{config['name']}", config)
        else:
            await self._api(f"STREAM.UPDATE.{config['name']}", config)

    async def _api(self, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._request(f"$JS.API.{subject}", msgspec.json.encode(body or {}))
        result: dict[str, Any] = msgspec.json.decode(answer.data)
        if "error" in result:
            raise ApiError(result["error"].get("err_code", 0), result["error"]["description"])
        return result

    async def _request(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None
    ) -> Msg:
        try:
            return await self._nats.request(subject, body, timeout=READ_TIMEOUT, headers=headers)
        except _LOST as error:
            raise ConnectionError(f"the broker is away: {error or type(error).__name__}") from error


async def open_jetstream(
    url: str,
    max_bytes: int,
    duplicate_window: int,
    revive: Revive | None = None,
    replicas: int = 1,
) -> JetStream:
    """Connect and prepare the streams; waits with backoff until the broker is there.

    `url` may name several servers of one cluster, with commas between.
    """
    pause = 0.1
    complaints = _Complaints()
    while True:
        connection = Connection()
        stream = JetStream(connection, revive)
        try:
            await connection.connect(
                url.replace(" ", "").split(","),
                name="headrace",
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.1,  # type: ignore[arg-type]
                pending_size=-1,
                error_cb=complaints.add,
                reconnected_cb=complaints.end,
                disconnected_cb=stream.end_reads,
            )
            await stream.prepare(max_bytes, duplicate_window, replicas)
            await complaints.end()
            return stream
        except _LOST as error:
            await complaints.add(error)
            await connection.close()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


class _Complaints:
    """Logs that the broker is waited for: at once, and then ever more seldom."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._next = 0.0

    async def add(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._next:
            log().warning("stream.waiting", reason=str(error) or type(error).__name__)
            self._pause = min(self._pause * 2 or 1.0, 60.0)
            self._next = now + self._pause

    async def end(self) -> None:
        """It is there: the next complaint is the first again."""
        self._pause = self._next = 0.0


def _sequence_of(answer: Msg) -> int:
    """Where an answer says that its message was kept."""
    result = _decode_publish_answer(answer.data)
    if result.error:
        raise ApiError(result.error.err_code, result.error.description)
    return result.seq


async def _collect(queue: asyncio.Queue[Msg | None]) -> list[Msg]:
    """The messages of one answer, up to its end mark or the first break in their chain."""
    found: list[Msg] = []
    whole = True
    while True:
        message = await queue.get()
        if message is None:
            raise ConnectionError("disconnected")
        headers = _headers(message)
        if "Nats-Sequence" not in headers:
            return found
        if found and headers["Nats-Last-Sequence"] != _headers(found[-1])["Nats-Sequence"]:
            whole = False
        if whole:
            found.append(message)


def _headers(raw: Msg) -> dict[str, str]:
    return raw.headers or {}


def _message(raw: Msg) -> Message:
    headers = _headers(raw)
    return Message(
        sequence=int(headers["Nats-Sequence"]),
        id=headers.get("Nats-Msg-Id", ""),
        time=_time(headers),
        tenant=subjects.tenant_of(headers["Nats-Subject"]),
        body=raw.data,
        notes={name: headers[name] for name in (REQUESTS, TRACE) if name in headers},
    )


def _dead_letter(raw: Msg) -> DeadLetter:
    headers = _headers(raw)
    return DeadLetter(
        sequence=int(headers["Nats-Sequence"]),
        origin=int(headers["Headrace-Origin"]),
        tenant=subjects.tenant_of(headers["Nats-Subject"]),
        reason=headers["Headrace-Reason"],
        time=_time(headers),
        body=raw.data,
    )


def _time(headers: dict[str, str]) -> int:
    return int(datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp() * 1000)
