"""The client: one way to send, beside the questions that the service answers (`asking`)."""

import asyncio
from collections.abc import Sequence
from typing import Self

import httpx2
import msgspec

from service.client.answers import BatchVerdict, Rejection, Sent, joined
from service.client.asking import Asking, data_of
from service.client.batches import MOST_EVENTS, Outgoing, body, cut, encoded, give_ids, headers
from service.client.connection import ClientOptions, Connection
from service.client.credentials import Credential, credential_of
from service.client.problems import error_of, problem_of, raise_for
from service.errors import Retryable, TooLarge


class Client(Asking):
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
        super().__init__(Connection(base_url, credential_of(credential), self.options))

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
        answered = await self._connection.call(request, _judged)
        response = answered.response
        verdict = _all_rejected(response) or data_of(response, BatchVerdict)
        return Sent(
            accepted=verdict.accepted,
            duplicates=verdict.duplicates,
            event_ids=verdict.event_ids,
            rejected=verdict.rejected,
            receipts=[verdict.receipt] if verdict.receipt else [],
            tries=answered.tries,
        )


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


def _judged(response: httpx2.Response) -> None:
    """Raise what the service refused with, unless that is a verdict on each event.

    What failed there may be tried again, whatever it was: an event counts once.
    """
    if response.status_code == httpx2.codes.INTERNAL_SERVER_ERROR:
        raise Retryable(str(error_of(response)))
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
