"""HTTP_API_TARGET: each record is sent to an HTTP API, as `headrace deliver` sends rows.

Delivery: exactly once to an API that honours `Idempotency-Key`, at least once to another one. The
key is made of the subscription and the record's primary key and content, or its place: a record
that comes again has the same one. Records with one key go one after the other.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from service.delivery.config import Api, Authentication, NoAuthentication, Settings
from service.delivery.outcomes import Down, Piece, Stopped, Verdict
from service.delivery.sending import Sender
from service.errors import ConnectorBroken, TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.model import Outgoing, Place, Refused
from service.reach.addresses import Reach
from service.reach.http import GuardedTransport

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
        self._slots = asyncio.Semaphore(config.settings.max_concurrent_requests)
        self._known: dict[Place, Verdict] = {}

    async def written(self) -> Place | None:
        return None  # keys tell repeats apart

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        """What an earlier try of the same batch is known to have settled is not sent again."""
        here = {one.place for one in batch}
        self._known = {place: said for place, said in self._known.items() if place in here}
        lines = [self._in_order(line) for line in _lines(batch)]
        said = await asyncio.gather(*lines, return_exceptions=True)
        for error in said:
            if isinstance(error, BaseException):
                raise error
        verdicts = [(one.place, self._known[one.place]) for one in batch]
        return [Refused(p, _reason(v)) for p, v in verdicts if v.outcome in ("rejected", "failed")]

    async def _in_order(self, line: Sequence[Outgoing]) -> None:
        for one in line:
            if one.place not in self._known:
                self._known[one.place] = await self._settled(one)

    async def _settled(self, one: Outgoing) -> Verdict:
        body = _encode(one.record)
        piece = Piece(_name(one, body), body)
        try:
            async with self._slots:
                await self._sender.pace.turn(1)
                verdict = (await self._sender.send([piece]))[0]
        except Down as error:
            raise TargetUnavailable(str(error)) from None
        except Stopped as error:
            raise ConnectorBroken(str(error)) from None
        if verdict.outcome == "failed" and verdict.status in _UNWELL:
            raise TargetUnavailable(verdict.reason)
        return verdict

    async def ping(self) -> None:
        try:
            await self._sender.check_health()
        except Stopped as error:
            raise TargetUnavailable(str(error)) from None

    async def close(self) -> None:
        await self._sender.__aexit__()


def _name(one: Outgoing, body: bytes) -> str:
    """The same for the same record: its place, or its primary key with what it says now."""
    if not one.primary_key:
        return one.place.text
    key = _encode([one.record[name] for name in one.primary_key])
    return f"{key.decode()}\0{body.decode()}"


def _lines(batch: Sequence[Outgoing]) -> Sequence[Sequence[Outgoing]]:
    """The records in lines of one key each; records without a key are lines of their own."""
    lines: dict[object, list[Outgoing]] = {}
    for one in batch:
        names = _encode([one.record[name] for name in one.primary_key]) if one.primary_key else None
        lines.setdefault(names or one.key or one.place, []).append(one)
    return list(lines.values())


def _reason(verdict: Verdict) -> str:
    return f"{verdict.status} {verdict.reason}".strip()
