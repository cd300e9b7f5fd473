"""`/api/v1/dead-letters`: messages of an environment that could not be stored, for who owns it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service import dead_letters
from service.api.answers import NO_CONTENT, Answer, Success, headers_of, iso, json_answer
from service.api.bodies import JSON, read_body
from service.api.events.ingestion import BATCH_SCHEMA, EVENT
from service.api.events.records import BATCH
from service.api.guards import ADMINISTERS, Gate
from service.api.openapi import Said, body_of, change, data, document, read, refusal, text_parameter
from service.api.problems import problem
from service.api.served import parameters_of
from service.errors import IngestionUnavailable, InvalidInput
from service.events import load_of
from service.ingest import Ingest, Verdict
from service.settings import Settings
from service.stream.protocol import DeadLetter, Stream

MOST_LISTED = 100
LONGEST_TEXT = 20_000
"""Characters of a letter that are told."""
_PATH = "/api/v1/dead-letters"


class Letter(msgspec.Struct, rename="camel"):
    """A message put aside. `events` are how many it says that it holds.

    `text` is what stands in it where it is a text, at most 20,000 characters of it.
    """

    number: int
    reason: str
    time: str
    bytes: int
    events: int
    text: str | None


class Letters(msgspec.Struct, rename="camel"):
    """The oldest ones; with `next` as `after` come those that follow, null if there are none."""

    dead_letters: list[Letter]
    next: int | None


class SentAgain(msgspec.Struct, rename="camel"):
    """What became of a letter: sent as it was, or so many events in its place."""

    number: int
    accepted: int | None = None
    duplicates: int | None = None
    receipt: str | None = None


class EventLetterRoutes:
    """The dead letters of the caller's own environment: looked at, mended, let go."""

    def __init__(self, gate: Gate, stream: Stream, ingest: Ingest, settings: Settings) -> None:
        self._gate = gate
        self._stream = stream
        self._ingest = ingest
        self._settings = settings

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        one = f"{_PATH}/{{number:str}}"
        return [
            *read(_PATH, self.list_letters, _LIST),
            change("POST", f"{one}/replay", self.replay, _REPLAY),
            change("DELETE", one, self.discard, _DISCARD),
        ]

    async def list_letters(self, request: Request[Any, Any, Any]) -> Answer:
        """List the environment's dead letters, the oldest first."""
        tenant = await self._tenant(request)
        parameters = parameters_of(request.scope["query_string"])
        if unknown := parameters.keys() - {"after"}:
            raise InvalidInput(f"`{min(unknown)}` is not a parameter here", min(unknown))
        after = _whole(parameters.get("after", "0"), "after")
        with _an_answer():
            found = await self._stream.dead_letters(after, MOST_LISTED, tenant)
        following = found[-1].sequence if len(found) == MOST_LISTED else None
        return json_answer(200, Success(data=Letters([_letter(one) for one in found], following)))

    async def replay(self, request: Request[Any, Any, Any]) -> Answer:
        """Send a dead letter again, or events in its place.

        Without a body it goes onto the stream as it is. With one, the events in it are taken in its
        place, all or none, and the letter is let go; they have ids of their own, or get ids that
        stay the same when this is tried again.
        """
        tenant, number = await self._tenant(request), _number(request)
        body = await read_body(
            headers_of(request.scope),
            request.receive,
            self._settings.max_body_bytes,
            self._settings.body_timeout,
        )
        if not body:
            with _an_answer():
                await dead_letters.replay(self._stream, number, tenant)
            return json_answer(200, Success(data=SentAgain(number)))
        with _an_answer():
            letter = await dead_letters.find(self._stream, number, tenant)
            return await self._put_in_its_place(letter, body)

    async def discard(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Forget a dead letter for good."""
        tenant = await self._tenant(request)
        with _an_answer():
            await dead_letters.discard(self._stream, _number(request), tenant)
        return NO_CONTENT

    async def _put_in_its_place(self, letter: DeadLetter, body: bytes) -> Answer:
        records = BATCH[JSON](body, self._settings.strict)
        key = f"dead letter {letter.origin}"
        verdict = await self._ingest.accept(letter.tenant, records, key, whole=True)
        if verdict.rejected:
            return _refused(verdict)
        await self._stream.discard_dead_letter(letter.sequence)
        sent = SentAgain(letter.sequence, verdict.accepted, verdict.duplicates, verdict.receipt)
        return json_answer(200, Success(data=sent))

    async def _tenant(self, request: Request[Any, Any, Any]) -> str:
        return (await self._gate.caller(headers_of(request.scope), ADMINISTERS)).tenant


@contextmanager
def _an_answer() -> Iterator[None]:
    """Raises IngestionUnavailable when the stream gives none."""
    try:
        yield
    except ConnectionError as error:
        raise IngestionUnavailable("the stream does not answer; try again") from error


def _refused(verdict: Verdict) -> Answer:
    rejected = list(verdict.rejected)
    first = rejected[0]
    message = f"`events[{first.index}]`: {first.message}; nothing was sent, the letter is kept"
    return problem(400, InvalidInput.code, message, {"rejected": rejected})


def _letter(letter: DeadLetter) -> Letter:
    events = load_of(letter.body).events
    at, size = iso(letter.time), len(letter.body)
    return Letter(letter.sequence, letter.reason, at, size, events, _text(letter.body))


def _text(body: bytes) -> str | None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    readable = all(c.isprintable() or c in "\r\n\t" for c in text[:LONGEST_TEXT])
    return text[:LONGEST_TEXT] if readable else None


def _number(request: Request[Any, Any, Any]) -> int:
    return _whole(request.scope["path_params"]["number"], "number")


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput(f"`{name}` must be a whole number: a dead letter's", name)
    return int(text)


_LETTER = {
    "number": 7,
    "reason": "unknown form: the message does not begin with the batch magic",
    "time": "2024-01-30T12:34:56.000Z",
    "bytes": 18,
    "events": 0,
    "text": "this is no batch",
}
_REFUSED = [
    refusal(400, "A number is not a whole one, or an event is wrong; nothing was sent."),
    refusal(401, "No API key or token, or not a valid one."),
    refusal(403, "Neither the scope `admin` nor an owner of the environment."),
    refusal(503, "The stream does not answer; see `Retry-After`."),
]
_GONE = refusal(404, "The environment has no such letter.")
_ONE = text_parameter("number", "The letter's number.", where="path")
_AFTER = text_parameter("after", "`next` of the answer before.")
_LIST = Said(
    "events",
    ADMINISTERS,
    [data(200, Letters, "The letters.", {"deadLetters": [_LETTER], "next": None}), *_REFUSED],
    [_AFTER],
)
_REPLAY = Said(
    "events",
    ADMINISTERS,
    [
        data(200, SentAgain, "The letter is gone from here."),
        *_REFUSED,
        _GONE,
        refusal(408, "The body did not arrive in time."),
        refusal(413, "More bytes or events than allowed."),
        refusal(415, "Another coding than those read here."),
    ],
    [_ONE],
    body_of("Events in its place, as a batch has them.", json=(BATCH_SCHEMA, {"events": [EVENT]})),
)
_DISCARD = Said(
    "events", ADMINISTERS, [document(204, None, "It is forgotten."), *_REFUSED, _GONE], [_ONE]
)
