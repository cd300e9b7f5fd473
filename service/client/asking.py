"""The questions that the service answers, typed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from service.client.answers import (
    Answer,
    Customer,
    CustomersPage,
    Data,
    Erasure,
    Metrics,
    Numbers,
    Realtime,
    Receipt,
    Stats,
    Table,
    Version,
    Versions,
)
from service.client.connection import Connection, backoff, decoded
from service.client.live import documents
from service.client.questions import Query, Question, Rows
from service.errors import NotCountedYet

_JSON = {"content-type": "application/json"}


class Asking:
    """Asks over one connection. Every method raises as the service answered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def metrics(self, question: Question | None = None) -> Metrics:
        """The metrics document."""
        return await self._get("/api/v1/analytics/metrics", _parameters(question), Metrics)

    async def numbers(
        self, name: str, question: Question | None = None, by: str | None = None
    ) -> Numbers:
        """The numeric payload field `name` summed up, for each value of `by` if given."""
        return await self._get("/api/v1/analytics/numbers", _numbers(name, question, by), Numbers)

    async def query(self, query: Query, after: str | None = None) -> Rows:
        """The answer to a query; with a receipt when its events are counted."""
        return data_of(await self._analytics("query", query, after), Rows)

    async def pages(self, query: Query) -> AsyncIterator[Rows]:
        """The answers to a query until there are no more groups."""
        cursor = query.cursor
        while True:
            rows = await self.query(msgspec.structs.replace(query, cursor=cursor))
            yield rows
            if (cursor := rows.cursor) is None:
                return

    async def ask(self, kind: str, document: bytes, form: str = "json") -> bytes:
        """The answer to a document that is JSON already, as the bytes that came.

        `kind` is a route below `/api/v1/analytics`: `query`, `sql`. A `form` that is not JSON
        (`csv`, `ndjson`, `parquet`, `arrow`) has the rows alone.
        """
        path = f"/api/v1/analytics/{_quoted(kind)}?{httpx2.QueryParams(format=form)}"
        return (await self._call(self._connection.post(path, document, _JSON))).content

    async def analyse(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        """What a route below `/api/v1/analytics` answers to a document: `funnel`, `sessions` …"""
        return data_of(await self._analytics(kind, document), dict[str, Any])

    async def sql(
        self, query: str, parameters: dict[str, Any] | None = None, limit: int = 1000
    ) -> Table:
        """The rows of a SELECT (docs/api-sql.md); the key needs the scope `sql`."""
        document = {"query": query, "parameters": parameters or {}, "limit": limit}
        return data_of(await self._analytics("sql", document), Table)

    async def realtime(self, *metrics: str, window: str = "5m") -> Realtime:
        """Numbers of a window that slides to now: `active_users`, `events`, `avg(price)` …"""
        parameters = {"window": window} | ({"metrics": ",".join(metrics)} if metrics else {})
        request = self._connection.get("/v1/analytics/realtime", parameters)
        found: Realtime = decoded(await self._call(request), Realtime)
        return found

    def live(self, question: Question | None = None, every: int = 1) -> AsyncIterator[Metrics]:
        """The metrics document whenever it changes, every so many seconds at most."""
        parameters = _parameters(question) | {"every": every}
        return documents(self._connection, parameters, Metrics)

    def live_numbers(
        self, name: str, question: Question | None = None, by: str | None = None, every: int = 1
    ) -> AsyncIterator[Numbers]:
        """The same of a numeric payload field."""
        parameters = _numbers(name, question, by) | {"what": "numbers", "every": every}
        return documents(self._connection, parameters, Numbers)

    async def customer(self, user_id: str) -> Customer:
        """What is known of a customer now. Raises NotFound."""
        return await self._get(f"/api/v1/customers/{_quoted(user_id)}", {}, Customer)

    async def customers(self, where: dict[str, Any] | None = None) -> AsyncIterator[Customer]:
        """All customers by id, without attributes; of those whose profile has these values."""
        parameters: dict[str, Any] = {"limit": 500}
        if where:
            parameters["where"] = msgspec.json.encode(where).decode()
        while True:
            page = await self._get("/api/v1/customers", parameters, CustomersPage)
            for customer in page.customers:
                yield customer
            if page.next_cursor is None:
                return
            parameters["cursor"] = page.next_cursor

    async def history(self, user_id: str) -> list[Version]:
        """What was told of a customer, the latest first. Raises NotFound."""
        path = f"/api/v1/customers/{_quoted(user_id)}/history"
        return (await self._get(path, {}, Versions)).versions

    async def erase(self, user_id: str) -> Erasure:
        """Have a user forgotten, with all his events; `erasure` tells when that is done."""
        request = self._connection.delete(f"/api/v1/customers/{_quoted(user_id)}")
        return data_of(await self._call(request), Erasure)

    async def erasure(self, erasure_id: str) -> Erasure:
        """How far an erasure is. Raises NotFound."""
        return await self._get(f"/api/v1/erasures/{_quoted(erasure_id)}", {}, Erasure)

    async def receipt(self, token: str) -> Receipt:
        """How far the events behind a receipt have come."""
        return await self._get(f"/api/v1/receipts/{_quoted(token)}", {}, Receipt)

    async def counted(self, receipts: Iterable[str]) -> None:
        """Return when the events behind all of these receipts are in every answer.

        Raises NotCountedYet when that takes longer than the client's patience.
        """
        try:
            async with asyncio.timeout(self._connection.patience):
                for token in receipts:
                    await self._counted(token)
        except TimeoutError:
            raise NotCountedYet("the events of a receipt are not counted yet") from None

    async def stats(self) -> Stats:
        """The ingestion statistics of the caller's environment."""
        return await self._get("/api/v1/events/stats", {}, Stats)

    async def _counted(self, token: str) -> None:
        tries = 0
        while (await self.receipt(token)).state != "queryable":
            tries += 1
            await asyncio.sleep(min(0.5, backoff(tries) / 4))

    async def _analytics(
        self, kind: str, document: Any, after: str | None = None
    ) -> httpx2.Response:
        parameters = f"?{httpx2.QueryParams(after=after)}" if after else ""
        path = f"/api/v1/analytics/{_quoted(kind)}{parameters}"
        content = msgspec.json.encode(document)
        return await self._call(self._connection.post(path, content, _JSON))

    async def _get(self, path: str, parameters: dict[str, Any], kind: type[Data]) -> Data:
        return data_of(await self._call(self._connection.get(path, parameters)), kind)

    async def _call(self, request: httpx2.Request) -> httpx2.Response:
        return (await self._connection.call(request)).response


def data_of(response: httpx2.Response, kind: type[Data]) -> Data:
    """What stands in an answer's envelope. Raises UnexpectedAnswer."""
    data: Data = decoded(response, Answer[kind]).data  # type: ignore[valid-type]
    return data


def _parameters(question: Question | None) -> dict[str, Any]:
    parameters: dict[str, Any] = msgspec.to_builtins(question or Question())
    return parameters


def _numbers(name: str, question: Question | None, by: str | None) -> dict[str, Any]:
    return _parameters(question) | {"name": name} | ({"by": by} if by else {})


def _quoted(part: str) -> str:
    """Part of a path."""
    return quote(part, safe="")
