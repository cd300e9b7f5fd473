"""`GET /api/v1/receipts/{receipt}`: how far the events of one request have come."""

from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, Success, headers_of, json_answer
from service.api.guards import FOLLOWS_RECEIPTS, Gate
from service.api.openapi import Said, data, read, refusal, text_parameter
from service.query.run import Questions
from service.receipts import Receipts
from service.storage.mark import Mark


class ReceiptReport(msgspec.Struct):
    """What became of the `accepted` events: `stored` of them are kept, `duplicates` were known.

    `queued`: on the stream's disk, not yet at the store. `stored`: in the store. `queryable`: in
    every answer from now on. The embedded store takes the last two steps as one.
    """

    state: Literal["queued", "stored", "queryable"]
    accepted: int
    stored: int
    duplicates: int


class ReceiptRoutes:
    """Receipts, for whoever has a key of the environment that they were given to."""

    def __init__(self, gate: Gate, receipts: Receipts, mark: Mark, questions: Questions) -> None:
        self._gate = gate
        self._receipts = receipts
        self._mark = mark
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return read("/api/v1/receipts/{receipt:str}", self.receipt, _RECEIPT)

    async def receipt(self, request: Request[Any, Any, Any]) -> Answer:
        """How far the events of one request have come."""
        scope = request.scope
        caller = await self._gate.caller(headers_of(scope), FOLLOWS_RECEIPTS)
        place = self._receipts.read(caller.tenant, scope["path_params"]["receipt"])
        if self._mark.progress.position < place.position:
            return json_answer(200, Success(data=ReceiptReport("queued", place.count, 0, 0)))
        counts = await self._questions.receipt_counts(caller.tenant, place)
        report = ReceiptReport("queryable", place.count, counts.stored, counts.duplicates)
        return json_answer(200, Success(data=report))


_EXAMPLE = {"state": "queryable", "accepted": 500, "stored": 498, "duplicates": 2}
_RECEIPT = Said(
    "questions",
    FOLLOWS_RECEIPTS,
    [
        data(200, ReceiptReport, "How far they are.", _EXAMPLE),
        refusal(401, "No API key, or not a valid one."),
        refusal(404, "No receipt of this environment."),
        refusal(503, "The store does not answer; see `Retry-After`."),
    ],
    [text_parameter("receipt", "As an answer to `POST /api/v1/events` gave it.", where="path")],
)
