"""`POST /api/v1/pipelines/{pipeline_id}/records`: records for a pipeline with an HTTP_SOURCE."""

from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, headers_of, json_answer
from service.api.bodies import JSON, NDJSON, content_type, read_body
from service.api.guards import INGESTS, Gate
from service.api.openapi import Said, body_of, change, document, text_parameter
from service.api.rate_limits import count_events
from service.api.records import MOST_RECORDS
from service.api.thedata.problems import Refusal
from service.errors import InvalidInput, TooLarge
from service.pipelines.pushing import Pushing
from service.settings import Settings

_PATH = "/api/v1/pipelines/{pipeline_id:str}/records"


class AcceptedRecords(msgspec.Struct, kw_only=True):
    """The records are on the pipeline's bus, in their order, under this number."""

    status: Literal["accepted"] = "accepted"
    accepted: int
    sequence: int


class PushDoor:
    """Takes records of callers whose key has the scope `ingest`, in its own environment."""

    def __init__(self, gate: Gate, pushing: Pushing, settings: Settings) -> None:
        self._gate = gate
        self._pushing = pushing
        self._settings = settings

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [change("POST", _PATH, self.take, _SAID)]

    async def take(self, request: Request[Any, Any, Any]) -> Answer:
        """Take up to 1000 records for a pipeline: an object, an array of them, or NDJSON.

        All are taken, or none.
        """
        headers, settings = headers_of(request.scope), self._settings
        caller = await self._gate.caller(headers, INGESTS)
        form = content_type(headers, JSON, NDJSON)
        body = await read_body(
            headers, request.receive, settings.max_body_bytes, settings.body_timeout
        )
        records = _decoded(body, form)
        await count_events(request.scope, len(records))
        key = headers.get(b"idempotency-key")
        text = key.decode("latin-1") if key else None
        pipeline_id = request.path_params["pipeline_id"]
        sequence = await self._pushing.push(caller.tenant, pipeline_id, records, text)
        return json_answer(202, AcceptedRecords(accepted=len(records), sequence=sequence))


def _decoded(body: bytes, form: bytes) -> list[dict[str, Any]]:
    try:
        decoder = msgspec.json.Decoder()
        found = decoder.decode_lines(body) if form == NDJSON else decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the body is no JSON: {error}") from None
    records = found if isinstance(found, list) else [found]
    if not records:
        raise InvalidInput("there are no records in the body")
    if len(records) > MOST_RECORDS:
        raise TooLarge(f"at most {MOST_RECORDS} records are taken at once")
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise InvalidInput("a record is an object", f"{index}")
    return records


_SAID = Said(
    "thedata",
    INGESTS,
    [
        document(202, AcceptedRecords, "On the bus."),
        document(400, Refusal, "The body is wrong; none of the records is taken."),
        document(401, Refusal, "No API key, or not a valid one."),
        document(403, Refusal, "The key has not the scope `ingest`."),
        document(404, Refusal, "No such pipeline in the key's environment."),
        document(409, Refusal, "Its source is another one, or it does not run."),
        document(413, Refusal, "More bytes or records than allowed."),
        document(429, Refusal, "More than the key's tier allows; see `Retry-After`."),
        document(503, Refusal, "The bus is full or does not answer; send the same again."),
    ],
    [text_parameter("Idempotency-Key", "The same within an hour is taken once.", where="header")],
    body_of(
        "The records; plain, gzip or zstd.",
        json=({"type": "array", "items": {"type": "object"}}, [{"id": 7, "price": 9.5}]),
    ),
)
