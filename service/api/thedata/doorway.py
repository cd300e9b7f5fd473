"""Who calls this face about pipelines: with a key of the environment, or signed in."""

from collections.abc import Sequence
from typing import Any

from litestar import Request

from service.accounts.callers import Caller
from service.accounts.pages import MOST, USUAL, Span
from service.accounts.sessions import SignedIn
from service.api.answers import headers_of
from service.api.guards import Gate, Rule, environment_of
from service.api.openapi import document, text_parameter
from service.api.rate_limits import Turnstile
from service.api.served import parameters_of
from service.api.thedata.problems import Refusal
from service.errors import InvalidInput
from service.pipelines.control.reach import Reach

_FARTHEST = 10**9

LIST_PARAMETERS = [
    text_parameter("offset", "How many items to leave out; 0 without."),
    text_parameter("limit", f"How many items at most, 1 to {MOST}; {USUAL} without."),
    text_parameter("search", "Only items that have this text in their name, in whatever case."),
]


class Doorway:
    """Lets callers in."""

    def __init__(self, gate: Gate, turnstile: Turnstile) -> None:
        self._gate = gate
        self._turnstile = turnstile

    async def reach(self, request: Request[Any, Any, Any], rule: Rule) -> Reach:
        """Whose pipelines the caller reaches: a key all of its environment's, a user his teams'.

        Raises what the gate raises.
        """
        headers = headers_of(request.scope)
        known = await self._gate.either(headers, rule)
        by = known.actor(self._turnstile.address_of(request.scope))
        if isinstance(known, SignedIn):
            return Reach(by, Caller(known, by, environment_of(headers)))
        return Reach(by, tenant=known.tenant)


def span_of(request: Request[Any, Any, Any], *beside: str) -> Span:
    """What part of a list is asked for. Raises InvalidInput."""
    raw = parameters_of(request.scope["query_string"])
    for name in raw:
        if name not in ("offset", "limit", "search", *beside):
            raise InvalidInput(f"`{name}` is not a parameter here", name)
    skip = _number(raw.get("offset", "0"), "offset", 0, _FARTHEST)
    return Span(
        skip, _number(raw.get("limit", str(USUAL)), "limit", 1, MOST), raw.get("search", "")
    )


def _number(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise InvalidInput(f"`{name}` must be a whole number from {least} to {most}", name)
    return int(text)


def refused(*beside: int) -> Sequence[Any]:
    """The errors of these statuses and of those that every route here has, for the document."""
    statuses = sorted({400, 401, 403, 404, 429, 503, *beside})
    return [document(status, Refusal, _ABOUT[status]) for status in statuses]


_ABOUT = {
    400: "A field is wrong, or the caller works in no environment; `details` says which.",
    401: "No key or token, or not a valid one.",
    403: "The caller may not do this.",
    404: "There is no such thing, or the caller may not know of it.",
    409: "Not as things are now; `message` says why.",
    413: "The body is too large.",
    415: "Not a body of this type.",
    429: "More than the caller's tier allows; see `Retry-After`.",
    503: "The accounts' database does not answer; see `Retry-After`.",
}
