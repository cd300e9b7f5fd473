"""The client: one way to send, and the questions that the service answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx2
import msgspec

from service.client.answers import (
    Answer,
    BatchVerdict,
    Customer,
    CustomersPage,
    Data,
    Metrics,
    Numbers,
    Receipt,
    Rejection,
    Sent,
    Stats,
    joined,
)
from service.client.batches import MOST_EVENTS, Outgoing, body, cut, encoded, give_ids, headers
from service.client.connection import ClientOptions, Connection, backoff, decoded
from service.client.credentials import Credential, credential_of
from service.client.live import documents
from service.client.problems import problem_of, raise_for
from service.client.questions import Query, Question, Rows
from service.errors import NotCountedYet, TooLarge

_JSON = {"content-type": "application/json"}


class Client:
    """Talks to one service as one caller. Use it as an async context manager.

    Every method raises the errors of `service.errors` as the service answered them. A 429, a 503
    and a lost connection are tried again with jittered backoff, never sooner than `Retry-After`
    asks; when patience ends, the last error is raised: Unreachable if nothing answered.
    """

    def __init__(
        self,
        base_url: str,
        credential: str | Credential | None = None,
        options: ClientOptions | None = None,
    ) -> None:
        self.options = options or ClientOptions()
        if not 1 <= self.options.batch <= MOST_EVENTS:
            raise ValueError(f"a batch is 1 to {MOST_EVENTS} events, not {self.options.batch}")
        self._connection = Connection(base_url, credential_of(credential), self.options)

    def __repr__(self) -> str:
        return f"Client({self._connection!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def send(self, events: Sequence[Outgoing], idempotency_key: str | None = None) -> Sent:
        """Send events in batches and tell what became of each.

        Each event without an id is given one in place before the first try, and every further try
        sends the same bytes: whatever is lost on the way, an event counts once, also when the
        caller sends the same objects again after an error. With an `idempotency_key` also when he
        makes them anew: the ids follow from the key and the places.
        """
        give_ids(events, idempotency_key)
        return await self.send_encoded([encoded(event) for event in events])

    async def send_encoded(self, events: Sequence[bytes]) -> Sent:
        """The same for events that are JSON objects already and have ids."""
        batches = list(cut(events, self.options.batch))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._send_batch(batch)) for batch in batches]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return _in_order([task.result() for task in tasks])

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
        suffix = f"?{httpx2.QueryParams(after=after)}" if after else ""
        content = msgspec.json.encode(query)
        request = self._connection.post(f"/api/v1/analytics/query{suffix}", content, _JSON)
        return _data(await self._call(request), Rows)

    async def ask(self, kind: str, document: bytes, form: str = "json") -> bytes:
        """The answer to a document that is JSON already, as the bytes that came.

        `kind` is a route below `/api/v1/analytics`: `query`, `sql`. A `form` that is not JSON
        (`csv`, `ndjson`, `parquet`, `arrow`) has the rows alone.
        """
        path = f"/api/v1/analytics/{_quoted(kind)}?{httpx2.QueryParams(format=form)}"
        return (await self._call(self._connection.post(path, document, _JSON))).content

    async def pages(self, query: Query) -> AsyncIterator[Rows]:
        """The answers to a query until there are no more groups."""
        cursor = query.cursor
        while True:
            rows = await self.query(msgspec.structs.replace(query, cursor=cursor))
            yield rows
            if (cursor := rows.cursor) is None:
                return

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

    async def receipt(self, token: str) -> Receipt:
        """How far the events behind a receipt have come."""
        return await self._get(f"/api/v1/receipts/{_quoted(token)}", {}, Receipt)

    async def counted(self, receipts: Iterable[str]) -> None:
        """Return when the events behind all of these receipts are in every answer.

        Raises NotCountedYet when that takes longer than the client's patience.
        """
        try:
            async with asyncio.timeout(self.options.patience):
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

    async def _send_batch(self, events: Sequence[bytes]) -> Sent:
        try:
            return await self._send_whole(events)
        except TooLarge as error:
            if len(events) == 1:
                return _refused(events[0], error)
            middle = len(events) // 2
            return _in_order(
                [await self._send_batch(e) for e in (events[:middle], events[middle:])]
            )

    async def _send_whole(self, events: Sequence[bytes]) -> Sent:
        encoding = self.options.encoding
        content = body(events, encoding)
        request = self._connection.post("/api/v1/events/batch", content, headers(encoding))
        answered = await self._connection.call(request, _raise_unless_judged)
        response = answered.response
        verdict = _all_rejected(response) or _data(response, BatchVerdict)
        return Sent(
            accepted=verdict.accepted,
            duplicates=verdict.duplicates,
            event_ids=verdict.event_ids,
            rejected=verdict.rejected,
            receipts=[verdict.receipt] if verdict.receipt else [],
            tries=answered.tries,
        )

    async def _get(self, path: str, parameters: dict[str, Any], kind: type[Data]) -> Data:
        return _data(await self._call(self._connection.get(path, parameters)), kind)

    async def _call(self, request: httpx2.Request) -> httpx2.Response:
        return (await self._connection.call(request)).response


def _refused(event: bytes, error: TooLarge) -> Sent:
    """What is said of an event that no request can carry."""
    event_id = msgspec.json.decode(event)["eventId"]
    rejection = Rejection(
        index=0, event_id=event_id, code=error.code, field=error.field, message=str(error)
    )
    return Sent(event_ids=[event_id], rejected=[rejection], tries=1)


def _in_order(parts: Sequence[Sent]) -> Sent:
    """The answers about consecutive events as one, each place counted from the first of all."""
    moved, offset = [], 0
    for sent in parts:
        rejected = [msgspec.structs.replace(r, index=r.index + offset) for r in sent.rejected]
        moved.append(msgspec.structs.replace(sent, rejected=rejected))
        offset += len(sent.event_ids)
    return joined(moved)


def _parameters(question: Question | None) -> dict[str, Any]:
    parameters: dict[str, Any] = msgspec.to_builtins(question or Question())
    return parameters


def _numbers(name: str, question: Question | None, by: str | None) -> dict[str, Any]:
    return _parameters(question) | {"name": name} | ({"by": by} if by else {})


def _quoted(part: str) -> str:
    """Part of a path."""
    return quote(part, safe="")


def _data(response: httpx2.Response, kind: type[Data]) -> Data:
    data: Data = decoded(response, Answer[kind]).data  # type: ignore[valid-type]
    return data


def _raise_unless_judged(response: httpx2.Response) -> None:
    if _all_rejected(response) is None:
        raise_for(response)


def _all_rejected(response: httpx2.Response) -> BatchVerdict | None:
    """The verdict of a batch none of whose events was taken, which comes as an error."""
    if response.status_code != httpx2.codes.BAD_REQUEST:
        return None
    details = problem_of(response).details
    if not isinstance(details, dict) or not details.get("rejected"):
        return None
    rejected = msgspec.convert(details["rejected"], list[Rejection])
    ids = [r.event_id for r in rejected]
    return BatchVerdict(accepted=0, duplicates=0, event_ids=ids, rejected=rejected)
