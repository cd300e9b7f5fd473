"""How often a caller may ask, by his tier: counted where a route's rule says so, told with every
answer of such a route, whatever its status.

Counted is each key, each user in each environment, and each address of those without a credential
that is good, as of the tier Free. Beside the `X-RateLimit-…` headers stand `RateLimit-Policy` and
`RateLimit` as draft-ietf-httpapi-ratelimit-headers-11 has them.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from litestar.handlers import HTTPRouteHandler

from service.accounts.tiers import FREE, Allowance
from service.api.answers import Answer, Header, headers_of
from service.api.guards import Gate
from service.api.rate_limits import Turnstile
from service.errors import RateLimited, TooLarge
from service.limits import Limits

NO_LIMIT = 999_999_999
"""What is told as limit and as remaining where there is no limit."""

_PASSAGE = "headrace.passage"
_Handle = Callable[[Any], Awaitable[Answer]]


@dataclass(slots=True)
class Passage:
    """One request, and where its caller stands after it."""

    limits: Limits
    allowance: Allowance
    caller: str
    left: int = 0
    more_in: float = 0.0
    """Seconds until he has more."""

    async def count(self, cost: int = 1) -> None:
        """Count the request, or what it is worth beyond one. Raises RateLimited."""
        if (limit := self.allowance.limit) is None or not cost:
            return
        try:
            standing = await self.limits.take(limit, self.caller, cost)
            self.left, self.more_in = standing.left, standing.more_in
        except RateLimited as refused:
            self.left, self.more_in = refused.left, refused.retry_after
            raise

    def headers(self) -> Sequence[Header]:
        """What the caller is told; without a limit no policy, for there is none."""
        limit, now = self.allowance.limit, time.time()
        if limit is None:
            return _standing(NO_LIMIT, NO_LIMIT, now)
        tier = self.allowance.tier.encode()
        return [
            *_standing(limit.times, self.left, now + self.more_in),
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (tier, limit.times, limit.seconds)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (tier, self.left, math.ceil(self.more_in))),
        ]


class TierLimits:
    """Stands before the handlers whose rule is `tiered`.

    `answer_error(request, error)` makes an answer of what was raised on the way.
    """

    def __init__(
        self,
        gate: Gate,
        turnstile: Turnstile,
        limits: Limits,
        allowances: Mapping[str, Allowance],
        answer_error: Callable[[Any, Exception], Any],
    ) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._limits = limits
        self._allowances = allowances
        self._answer_error = answer_error

    def before(self, handlers: Sequence[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
        """The same handlers, limited where their rules say so."""
        for handler in handlers:
            if handler.opt["rule"].tiered:
                handler(self._limited(handler.fn))
        return handlers

    def _limited(self, handle: _Handle) -> _Handle:
        @wraps(handle)
        async def limited(request: Any) -> Answer:
            passage = request.scope[_PASSAGE] = await self._passage(request.scope)
            try:
                await passage.count()
                answer = await handle(request)
            except Exception as error:
                answer = self._answer_error(request, error).to_asgi_response()
            return answer.plus(*passage.headers())

        return limited

    async def _passage(self, scope: Any) -> Passage:
        headers = headers_of(scope)
        principal = await self._gate.known(headers)
        if principal is None:
            address = self._turnstile.address_of(scope, headers)
            return Passage(self._limits, self._allowances[FREE], address)
        caller = f"{principal.tenant} {principal.user_id or principal.key_id}"
        return Passage(self._limits, self._allowances[principal.tier], caller)


async def count_events(scope: Mapping[str, Any], events: int) -> None:
    """Count the events of a batch where the caller's tier says so: with the request one each.

    Raises RateLimited, and TooLarge for a batch that is worth more than the whole limit.
    """
    passage: Passage = scope[_PASSAGE]
    limit = passage.allowance.limit
    if limit is None or not passage.allowance.counts_events:
        return
    if events > limit.times:
        raise TooLarge(f"a batch may have at most {limit.times} events in this tier")
    await passage.count(events - 1)


def _standing(limit: int, left: int, reset: float) -> list[Header]:
    return [
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-remaining", b"%d" % left),
        (b"x-ratelimit-reset", b"%d" % math.ceil(reset)),
    ]
