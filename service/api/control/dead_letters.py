"""`/api/subscriptions/{id}/dead-letters`: records that a target refused, fixed and sent again."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.belongings import DONE
from service.api.control.entrance import Entrance
from service.api.control.said import WRONG
from service.api.control.subscriptions import OF, subscription_id_of
from service.api.forms import read_form
from service.api.guards import WORKS_IN_TEAM
from service.api.openapi import body_of, change, document, read, text_parameter
from service.api.served import parameters_of
from service.errors import InvalidInput, NotFound
from service.pipelines.insight import MOST_LETTERS, Insight
from service.pipelines.refusals import Kept

_LARGEST = 1024 * 1024
_FARTHEST = 2**53


class RefusedRecord(msgspec.Struct):
    """A record that was refused: what the source gave, and why."""

    number: int
    reason: str
    refused_at: str
    place: str
    """Where it stands on the pipeline's bus."""
    key: str | None
    value: dict[str, Any]
    metadata: dict[str, Any]


class RefusedRecords(msgspec.Struct):
    """Some of them, the oldest first; `next` is the `after` of those that follow."""

    items: list[RefusedRecord]
    next: int | None


class Fixed(msgspec.Struct, forbid_unknown_fields=True):
    """What the message should have been; without, it is sent as it was."""

    value: dict[str, Any] | None = None


class Replayed(msgspec.Struct):
    """Where the message stands on the bus now."""

    sequence: int


class RefusedRoutes:
    """Dead letters."""

    def __init__(self, entrance: Entrance, insight: Insight) -> None:
        self._entrance = entrance
        self._insight = insight

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/subscriptions/{subscription_id:str}/dead-letters", self.list, _LIST),
            change(
                "POST",
                "/api/subscriptions/{subscription_id:str}/dead-letters/{number:str}/replay",
                self.replay,
                _REPLAY,
            ),
            change(
                "DELETE",
                "/api/subscriptions/{subscription_id:str}/dead-letters/{number:str}",
                self.discard,
                _DISCARD,
            ),
        ]

    async def list(self, request: Request[Any, Any, Any]) -> Answer:
        """List the dead letters of a subscription, the oldest first."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        after, most = _asked(request)
        found = await self._insight.letters(reach, subscription_id_of(request), after, most)
        following = found[-1].number if len(found) == most else None
        return json_answer(200, RefusedRecords([_document(kept) for kept in found], following))

    async def replay(self, request: Request[Any, Any, Any]) -> Answer:
        """Send a dead letter to its subscription again, as it was or fixed.

        It is no dead letter any longer, unless it is refused again.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        form = await read_form(request, Fixed, _LARGEST, usual=Fixed())
        subscription_id, number = subscription_id_of(request), _number(request)
        sequence = await self._insight.replay(reach, subscription_id, number, form.value)
        return json_answer(202, Replayed(sequence))

    async def discard(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Throw a dead letter away."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        await self._insight.discard(reach, subscription_id_of(request), _number(request))
        return NO_CONTENT


def _number(request: Request[Any, Any, Any]) -> int:
    text = str(request.scope["path_params"]["number"])
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise NotFound(f"there is no dead letter {text[:32]}")
    return int(text)


def _asked(request: Request[Any, Any, Any]) -> tuple[int, int]:
    """After which, and how many. Raises InvalidInput."""
    raw = parameters_of(request.scope["query_string"])
    for name in raw:
        if name not in ("after", "limit"):
            raise InvalidInput(f"`{name}` is not a parameter here", name)
    values = []
    for name, usual, least, most in (("after", 0, 0, _FARTHEST), ("limit", 50, 1, MOST_LETTERS)):
        text = raw.get(name, str(usual))
        if not (text.isascii() and text.isdigit() and len(text) < 17):
            raise InvalidInput(f"`{name}` must be a whole number", name)
        if not least <= int(text) <= most:
            raise InvalidInput(f"`{name}` is from {least} to {most}", name)
        values.append(int(text))
    return values[0], values[1]


def _document(kept: Kept) -> RefusedRecord:
    letter = kept.letter
    key = letter.message.key
    return RefusedRecord(
        number=kept.number,
        reason=letter.reason,
        refused_at=iso(kept.time),
        place=letter.place.text,
        key=key.decode("utf-8", "replace") if key is not None else None,
        value=dict(letter.message.value),
        metadata=dict(letter.message.metadata),
    )


_NUMBER = text_parameter("number", "The dead letter's `number`.", where="path")
_FIXED = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"value": {"type": ["object", "null"]}},
}
_LIST = OF.find(
    document(200, RefusedRecords, "Some of them."),
    WRONG,
    parameters=[
        text_parameter("after", "Only those with a greater number."),
        text_parameter("limit", f"How many at most, 1 to {MOST_LETTERS}; 50 without."),
    ],
)
_REPLAY = OF.find(
    document(202, Replayed, "It is on the bus."),
    parameters=[_NUMBER],
    body=body_of("What it is fixed to.", json=(_FIXED, {"value": {"user_id": 7}})),
)
_DISCARD = OF.find(DONE, parameters=[_NUMBER])
