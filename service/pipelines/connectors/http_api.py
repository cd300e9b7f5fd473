"""HTTP_API_TARGET: each record is sent to an HTTP API, as `headrace deliver` sends rows.

Delivery: exactly once to an API that honours `Idempotency-Key`, at least once to another one. The
key is made of the subscription and the record's primary key and content, or its place: a record
that comes again has the same one. Records with one key go one after the other. With
`rows_per_request` so many records that came one after the other are one request.
"""

import asyncio
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Annotated, Any, Literal

import msgspec

from service.delivery.config import Api, Authentication, NoAuthentication, Settings
from service.delivery.outcomes import Down, Piece, Stopped, Verdict
from service.delivery.sending import Sender
from service.ending import cancelled
from service.errors import ConnectorBroken, TargetBusy, TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings, Target, block_of
from service.pipelines.model import Outgoing, Place, Refused
from service.reach.addresses import Reach
from service.reach.http import GuardedTransport

PATIENCE = 45.0
"""Seconds that one writing takes at most; what is not settled then goes on, and is asked after."""
_NOT_THERE = ("rejected", "failed")
_UNWELL = frozenset({0, 408, 425, 429, 502, 503, 504})
"""Last answers to a record that failed which speak of the API, not of the record; 0 is none."""

_encode = msgspec.json.Encoder().encode


class HttpApiTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the API is and how hard to try, in the words of `api_config.json`."""

    base_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")]
    endpoints: dict[str, str]
    authentication: Authentication = NoAuthentication()
    headers: dict[str, str] = {}
    settings: Settings = Settings()
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    idempotency_header: str = "Idempotency-Key"
    endpoint: str = "customers"

    def __post_init__(self) -> None:
        self.api()  # raises ValueError for endpoints that lack the one that records go to

    def api(self) -> Api:
        """The same as a delivery has it."""
        return Api(**{name: getattr(self, name) for name in self.__struct_fields__})


def together_in_http(config: HttpApiTarget) -> int:
    """Records of one request."""
    return config.settings.rows_per_request


HTTP_API_SECRETS = frozenset({"authentication", "headers"})


async def open_http_api(config: HttpApiTarget, surroundings: Surroundings) -> Target:
    """Nothing is connected yet."""
    name = f"{surroundings.tenant}\0{surroundings.subscription_id}".encode()
    guarded = GuardedTransport(Reach(surroundings.allow_private))
    return _HttpApi(config, Sender(config.api(), name, guarded))


async def check_http_api(config: HttpApiTarget, surroundings: Surroundings) -> None:
    """Ask the health endpoint. Raises TargetUnavailable."""
    target = await open_http_api(config, surroundings)
    try:
        await target.ping()
    finally:
        await target.close()


class _HttpApi:
    def __init__(self, config: HttpApiTarget, sender: Sender) -> None:
        self._sender = sender
        self._together = config.settings.rows_per_request
        self._slots = asyncio.Semaphore(config.settings.max_concurrent_requests)
        self._asked: dict[Sequence[Place], asyncio.Task[Sequence[Verdict]]] = {}

    async def written(self) -> Place | None:
        return None  # keys tell repeats apart

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        """What an earlier try of the same batch settled is not sent again; what it began goes on.

        Raises TargetBusy when something of it is not settled yet.
        """
        self._forget(batch)
        requests = self._begun(batch)
        if requests:
            await asyncio.wait(requests, timeout=PATIENCE)
        settled = [one for one in requests if one.done()]
        for error in filter(None, (one.exception() for one in settled)):
            raise error
        if len(settled) < len(requests):
            raise TargetBusy(f"not every record was answered within {PATIENCE:g} s")
        verdicts = [verdict for one in settled for verdict in one.result()]
        said = zip(batch, verdicts, strict=True)
        return [Refused(o.place, _reason(v)) for o, v in said if v.outcome in _NOT_THERE]

    def _forget(self, batch: Sequence[Outgoing]) -> None:
        """What lies before the batch, and what came to nothing."""
        for places, task in list(self._asked.items()):
            failed = task.done() and (task.cancelled() or task.exception())
            if failed or not batch or places[-1] < batch[0].place:
                del self._asked[places]

    def _begun(self, batch: Sequence[Outgoing]) -> Sequence[asyncio.Task[Sequence[Verdict]]]:
        """A task for each request; it waits for those before it that have one of its keys."""
        begun, latest = [], dict[object, asyncio.Task[Sequence[Verdict]]]()
        for request in _requests(batch, self._together):
            places, keys = tuple(one.place for one in request), {*map(_key, request)}
            if places not in self._asked:
                before = {latest[key] for key in keys if key in latest}
                self._asked[places] = asyncio.create_task(self._in_turn(before, request))
            latest |= dict.fromkeys(keys, self._asked[places])
            begun.append(self._asked[places])
        return begun

    async def _in_turn(
        self, before: Collection[asyncio.Task[Any]], request: Sequence[Outgoing]
    ) -> Sequence[Verdict]:
        if before:
            for one in (await asyncio.wait(before))[0]:
                one.result()
        async with self._slots:
            return await self._settled(request)

    async def _settled(self, request: Sequence[Outgoing]) -> Sequence[Verdict]:
        bodies = [_encode(one.record) for one in request]
        pieces = [Piece(_name(*pair), pair[1]) for pair in zip(request, bodies, strict=True)]
        try:
            await self._sender.pace.turn(len(pieces))
            verdicts = await self._sender.send(pieces)
            if not all(map(_is_unwell, verdicts)):
                verdicts = [await self._singly(*one) for one in zip(pieces, verdicts, strict=True)]
        except Down as error:
            raise TargetBusy(str(error)) from None
        except Stopped as error:
            raise ConnectorBroken(str(error)) from None
        if unwell := next(filter(_is_unwell, verdicts), None):
            raise TargetBusy(unwell.reason)
        return verdicts

    async def _singly(self, piece: Piece, said: Verdict) -> Verdict:
        """A record that alone failed in a request goes by itself: an API that knows the request's
        key would say the same of it for ever."""
        return (await self._sender.send([piece]))[0] if _is_unwell(said) else said

    async def ping(self) -> None:
        try:
            await self._sender.check_health()
        except Stopped as error:
            raise TargetUnavailable(str(error)) from None

    async def close(self) -> None:
        await cancelled(*self._asked.values())
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        await self._sender.__aexit__()


def _name(one: Outgoing, body: bytes) -> str:
    """The same for the same record: its place, or its primary key with what it says now."""
    if not one.primary_key:
        return one.place.text
    key = _encode([one.record[name] for name in one.primary_key])
    return f"{key.decode()}\0{body.decode()}"


def _key(one: Outgoing) -> object:
    """Records with the same one go one after the other."""
    names = _encode([one.record[name] for name in one.primary_key]) if one.primary_key else None
    return names or one.key or one.place


def _requests(batch: Sequence[Outgoing], together: int) -> Sequence[Sequence[Outgoing]]:
    """The records of each request: the same ones whenever the batch comes again, cut as it may be
    at the borders of `block_of`."""
    if together == 1:
        return [[one] for one in batch]
    blocks = (list(found) for _, found in groupby(batch, lambda one: block_of(one.place, together)))
    return [block[n : n + together] for block in blocks for n in range(0, len(block), together)]


def _is_unwell(verdict: Verdict) -> bool:
    return verdict.outcome == "failed" and verdict.status in _UNWELL


def _reason(verdict: Verdict) -> str:
    return f"{verdict.status} {verdict.reason}".strip()
