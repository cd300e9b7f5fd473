"""The way into the control face: who calls, from where, and for which environment."""

from dataclasses import replace
from typing import Any

from litestar import Request

from service.accounts.audit import Actor, nobody
from service.accounts.callers import Caller
from service.api.answers import headers_of
from service.api.guards import Gate, Rule, environment_of
from service.api.rate_limits import Turnstile
from service.pipelines.control.reach import Reach


class Entrance:
    """Lets callers in."""

    def __init__(self, gate: Gate, turnstile: Turnstile) -> None:
        self._gate = gate
        self._turnstile = turnstile

    async def stranger(self, request: Request[Any, Any, Any]) -> Actor:
        """Who calls without being signed in."""
        return nobody(self._turnstile.address_of(request.scope))

    async def caller(self, request: Request[Any, Any, Any], rule: Rule) -> Caller:
        """Who is signed in, if the rule lets him.

        Raises Unauthenticated, Forbidden.
        """
        headers = headers_of(request.scope)
        address = self._turnstile.address_of(request.scope)
        session = await self._gate.user(headers, rule)
        return Caller(session, session.actor(address), environment_of(headers))

    async def reach(self, request: Request[Any, Any, Any], rule: Rule) -> Reach:
        """Whose pipelines he reaches who is signed in. Raises as `caller` does."""
        caller = await self.caller(request, rule)
        return Reach(caller.by, caller)

    async def still(self, reach: Reach, rule: Rule) -> Reach:
        """What somebody reaches now who came in before. Raises when he would not be let in now."""
        assert reach.caller
        session = await self._gate.still_signed_in(reach.caller.session.session_id, rule)
        return replace(reach, caller=replace(reach.caller, session=session))
