"""Answers from the cache on their way out: age, `ETag`, 304, and `?after=`.

This is the hot path of dashboards that poll: the document is sent as the bytes it was cached as,
with what changes from call to call written behind it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import pyarrow as pa
from litestar import Request
from litestar.types import Receive

from service.api.answers import JSON, Answer, Header, Headers, headers_of, iso
from service.api.bodies import JSON as JSON_TYPE
from service.api.bodies import ClientGone, content_type, read_body
from service.api.guards import Gate, Rule
from service.api.openapi import document, refusal, text_parameter
from service.api.sheets import Encode, Table, etag_of, form_asked, sheet_of
from service.errors import InvalidInput, NotCountedYet
from service.events import now_ms
from service.formats.choice import JSON as JSON_FORM
from service.formats.choice import Format
from service.formats.encoders import encoded
from service.query.cache import Served, Waiting
from service.receipts import Receipts
from service.storage.mark import Mark

AFTER_SECONDS = 5.0
"""How long `?after=` waits for its events to be counted."""
LARGEST_QUESTION = 64 * 1024
"""Bytes of a question in a body."""
BODY_SECONDS = 10.0

ASKING_PARAMETERS = [
    text_parameter("after", "A receipt: answer when its events are counted, within 5 seconds."),
    text_parameter("If-None-Match", "An `ETag`: 304 while the answer is the same.", where="header"),
]
"""What every question takes beside its own parameters."""
ASKING_ANSWERS = [
    document(304, None, "The answer is the one that `If-None-Match` names."),
    refusal(404, "There is no such receipt."),
]
"""What every question answers beside its own answers."""

_LONGEST_KEPT = 512
_VARY: Header = (b"vary", b"x-api-key, authorization, x-env-id, accept")

_Parameters = TypeVar("_Parameters")
Tabled = Callable[[_Parameters, Mapping[str, Any]], pa.Table]
"""Makes a table of an answer: from what was asked and its document, as JSON is read."""
_Found = TypeVar("_Found")


Parse = Callable[[bytes, int], _Parameters | Awaitable[_Parameters]]
"""Reads a body; what takes its time is waited for."""


class Asking:
    """One way from a request to the answer of a question, whatever the question."""

    def __init__(self, gate: Gate, receipts: Receipts, mark: Mark, cache_seconds: float) -> None:
        self._gate = gate
        self._receipts = receipts
        self._mark = mark
        self._cache_control: Header = (
            b"cache-control",
            b"private, max-age=%d" % int(cache_seconds),
        )

    async def ask(
        self,
        request: Request[Any, Any, Any],
        parse: Callable[[Mapping[str, str], int], _Parameters],
        question: Callable[[str, _Parameters, int, Waiting], Awaitable[Served]],
    ) -> Answer:
        """The answer to `question(tenant, parameters, at_least, waiting)` for whoever calls.

        An answer at hand is given without a look at whether he still listens: that costs as much.
        Raises NotCountedYet when the receipt of `?after=` is not counted in time.
        """
        began, scope = time.perf_counter(), request.scope
        headers = headers_of(scope)
        tenant = await self._gate.reader(headers)
        raw, at_least = await self.at_least(tenant, scope["query_string"])
        parameters = parse(raw, now_ms())
        waiting = partial(while_heard, request.receive)
        served = await question(tenant, parameters, at_least, waiting)
        return self.document(served, headers, began)

    async def ask_in_body(
        self,
        request: Request[Any, Any, Any],
        rule: Rule,
        parse: Parse[_Parameters],
        question: Callable[[str, _Parameters, int], Awaitable[Served]],
        tabled: Tabled[_Parameters] | None = None,
    ) -> Answer:
        """The same for a question that is a JSON document in the body.

        With `tabled` it is to be had as a file, too; raises NotAcceptable for one that there is
        not.
        """
        began, scope = time.perf_counter(), request.scope
        headers = headers_of(scope)
        tenant = (await self._gate.caller(headers, rule)).tenant
        content_type(headers, JSON_TYPE)
        raw, at_least = await self.at_least(tenant, scope["query_string"])
        form, raw = form_asked(raw, headers) if tabled else (JSON_FORM, raw)
        if raw:
            there = "after, format" if tabled else "after"
            raise InvalidInput(f"`{min(raw)}` is not a parameter here; there is {there}", min(raw))
        body = await read_body(headers, request.receive, LARGEST_QUESTION, BODY_SECONDS)
        asked = await _read(parse, body)
        served = await while_heard(request.receive, question(tenant, asked, at_least))
        if tabled is None or form is JSON_FORM:
            return self.document(served, headers, began)
        name = scope["path"].rstrip("/").rpartition("/")[2]
        return await self.file(served, headers, form, partial(tabled, asked), name)

    async def ask_for(
        self,
        request: Request[Any, Any, Any],
        rule: Rule,
        parse: Callable[[Mapping[str, str], int], _Parameters],
        question: Callable[[str, _Parameters, int], Awaitable[_Found]],
    ) -> tuple[_Parameters, _Found]:
        """What was asked and what was found, for a face that writes answers in its own form."""
        scope = request.scope
        tenant = (await self._gate.caller(headers_of(scope), rule)).tenant
        raw, at_least = await self.at_least(tenant, scope["query_string"])
        parameters = parse(raw, now_ms())
        asking = question(tenant, parameters, at_least)
        return parameters, await while_heard(request.receive, asking)

    async def at_least(self, tenant: str, query: bytes) -> tuple[Mapping[str, str], int]:
        """The parameters but `after`, once its events are counted, and the position they need."""
        raw = parameters_of(query)
        if (receipt := raw.get("after")) is None:
            return raw, 0
        at_least = await self._counted(tenant, receipt)
        return {name: value for name, value in raw.items() if name != "after"}, at_least

    async def _counted(self, tenant: str, receipt: str) -> int:
        position = self._receipts.read(tenant, receipt).position
        if not await self._mark.wait(position, AFTER_SECONDS):
            raise NotCountedYet("the events of this receipt are not counted yet")
        return position

    def document(self, served: Served, headers: Headers, began: float) -> Answer:
        """The answer as JSON: how old it is, where it comes from, what was read for it, and what it
        took since `began` (of `time.perf_counter`)."""
        shared = self._shared(served, served.etag.encode())
        if _has(shared, headers.get(b"if-none-match")):
            return Answer(304, b"", *shared)
        content = polled(served, served.cached, served.age_ms, _told(served, began))
        length = (b"content-length", b"%d" % len(content))
        timing = () if served.cached else (_timing(served.store_ms),)
        return Answer(200, content, JSON, length, *shared, *timing)

    def keeping(self, seconds: float) -> "Asking":
        """The same for answers that are kept for another time."""
        return Asking(self._gate, self._receipts, self._mark, seconds)

    async def file(
        self,
        served: Served,
        headers: Headers,
        form: Format,
        table: Table,
        name: str,
        encode: Encode = encoded,
    ) -> Answer:
        """The rows of an answer as a file; what else is to be said of it stands in headers."""
        shared = self._shared(served, etag_of(served, form))
        if _has(shared, headers.get(b"if-none-match")):
            return Answer(304, b"", *shared)
        content, about = await sheet_of(served, form, table, name, encode)
        length = (b"content-length", b"%d" % len(content))
        source = (b"x-source", _source(served).encode())
        return Answer(200, content, *about, length, source, *shared)

    def _shared(self, served: Served, etag: bytes) -> Sequence[Header]:
        age = (b"age", b"%d" % (served.age_ms // 1000))
        return ((b"etag", etag), self._cache_control, age, _VARY)


async def _read(parse: Parse[_Parameters], body: bytes) -> _Parameters:
    read = parse(body, now_ms())
    return await read if isinstance(read, Awaitable) else read


async def while_heard(receive: Receive, asking: Awaitable[_Found]) -> _Found:
    """What is found, unless the caller hangs up first: then the question is given up.

    Raises ClientGone.
    """
    asked, gone = asyncio.ensure_future(asking), asyncio.ensure_future(hung_up(receive))
    try:
        await asyncio.wait([asked, gone], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise ClientGone
        return await asked
    finally:
        asked.cancel()
        gone.cancel()
        await asyncio.gather(asked, gone, return_exceptions=True)


async def hung_up(receive: Receive) -> None:
    """Return when the caller has."""
    while (await receive())["type"] != "http.disconnect":
        pass


def polled(served: Served, cached: bool, age_ms: int, told: bytes = b"") -> bytes:
    """The whole body of an answer that is `age_ms` old; `told` are further fields, as JSON."""
    return b'{"success":true,"data":%b,"asOf":"%b","cached":%b,"ageMs":%d%b}}' % (
        served.document[:-1],
        _as_of(served.as_of),
        b"true" if cached else b"false",
        age_ms,
        told,
    )


def parameters_of(query: bytes) -> Mapping[str, str]:
    """The parameters of a query string. Raises InvalidInput for one given twice or not UTF-8."""
    return _kept_parameters(query) if len(query) <= _LONGEST_KEPT else _parameters(query)


def _parameters(query: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            query.decode(), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except ValueError:
        raise InvalidInput("the query string is not UTF-8, or has too many parameters") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f"`{name}` is given twice", name)
        found[name] = value
    return MappingProxyType(found)


_kept_parameters = lru_cache(1024)(_parameters)


def _told(served: Served, began: float) -> bytes:
    """Where the answer comes from, what was read for it, and what this call took, in ms."""
    elapsed = (time.perf_counter() - began) * 1000
    rows, read = _number(served.cost.rows), _number(served.cost.bytes)
    told = (_source(served).encode(), rows, read, elapsed)
    return b',"source":"%b","rowsRead":%b,"bytesRead":%b,"elapsedMs":%.1f' % told


def _number(number: int | None) -> bytes:
    return b"null" if number is None else b"%d" % number


def _source(served: Served) -> str:
    return "cache" if served.cached else served.source


def _timing(store_ms: float) -> Header:
    """What browsers show of where the time went (https://www.w3.org/TR/server-timing/)."""
    return (b"server-timing", b"store;dur=%.1f" % store_ms)


@lru_cache(256)
def _as_of(moment: int) -> bytes:
    return iso(moment).encode()


def _has(shared: Sequence[Header], if_none_match: bytes | None) -> bool:
    """Whether the caller has the answer of this `ETag`, the first of its headers.

    Weak comparison (RFC 9110, 13.1.2) with each tag of the list, or `*`.
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == b"*" or shared[0][1].removeprefix(b"W/") in if_none_match
