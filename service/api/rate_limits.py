"""How often a caller may ask: counted where a route's rule says so, by his address or his tier, and
told with every answer of such a route, whatever its status.

By tier is counted each key, each user in each environment, and each address of those without a
credential that is good, as of the tier Free. Beside the `X-RateLimit-…` headers stand
`RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-11 has them.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from litestar.handlers import HTTPRouteHandler

from service.accounts.principals import Principal
from service.accounts.tiers import FREE, Allowance
from service.api.addresses import Network, address_of
from service.api.answers import Answer, Header, headers_of
from service.api.guards import Gate, Rule
from service.api.problems import Problem
from service.errors import RateLimited, TooLarge
from service.limits import Limit, Limits

AUTH = Allowance("auth", Limit("auth", 100, 60), counts_events=False)
"""Calls of one address to `/api/auth/…`."""
NO_LIMIT = 999_999_999
"""What is told as limit and as remaining where there is no limit."""

_PASSAGE = "headrace.passage"
_Handle = Callable[[Any], Awaitable[Answer]]
_AnswerError = Callable[[Any, Exception], Problem]


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
        name = self.allowance.name.encode()
        return [
            *_standing(limit.times, self.left, now + self.more_in),
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name, limit.times, limit.seconds)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (name, self.left, math.ceil(self.more_in))),
        ]


class Turnstile:
    """Stands before the handlers whose rule is `counted` or `tiered`; those whose callers are named
    `in_body` ask it themselves.

    `X-Forwarded-For` is believed from `proxies` alone: anybody can write one.
    """

    def __init__(
        self,
        limits: Limits,
        gate: Gate,
        allowances: Mapping[str, Allowance],
        proxies: Sequence[Network] = (),
    ) -> None:
        self._limits = limits
        self._gate = gate
        self._allowances = allowances
        self._proxies = proxies

    def before(self, handlers: Sequence[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
        """The same handlers, limited where their rules say so."""
        for handler in handlers:
            rule: Rule = handler.opt["rule"]
            if rule.counted or (rule.tiered and not rule.in_body):
                handler(self._limited(handler.fn, rule))
        return handlers

    async def admit(self, scope: Any, principal: Principal | None) -> Passage:
        """Count a request of which it is known only now who sends it. Raises RateLimited."""
        passage = scope[_PASSAGE] = self._tiered(scope, principal)
        await passage.count()
        return passage

    def address_of(self, scope: Mapping[str, Any]) -> str:
        """Where a request comes from."""
        return address_of(scope, headers_of(scope), self._proxies)

    def _limited(self, handle: _Handle, rule: Rule) -> _Handle:
        @wraps(handle)
        async def limited(request: Any) -> Answer:
            passage = request.scope[_PASSAGE] = await self._passage(request.scope, rule)
            await passage.count()
            answer = await handle(request)
            return answer.plus(*passage.headers())

        return limited

    async def _passage(self, scope: Any, rule: Rule) -> Passage:
        if rule.counted:
            return Passage(self._limits, AUTH, self.address_of(scope))
        return self._tiered(scope, await self._gate.known(headers_of(scope)))

    def _tiered(self, scope: Any, principal: Principal | None) -> Passage:
        if principal is None:
            return Passage(self._limits, self._allowances[FREE], self.address_of(scope))
        caller = f"{principal.tenant} {principal.user_id or principal.key_id}"
        return Passage(self._limits, self._allowances[principal.tier], caller)


def telling(answer_error: _AnswerError) -> _AnswerError:
    """`answer_error`, which tells callers of a limited route where they stand too."""

    def answer(request: Any, error: Exception) -> Problem:
        problem = answer_error(request, error)
        passage: Passage | None = request.scope.get(_PASSAGE)
        return problem.plus(*passage.headers()) if passage else problem

    return answer


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
