"""Those who listen to live answers: who may, to what, and for how long."""

import re
from collections.abc import Mapping
from typing import Any

from service.accounts.tickets import NewTicket, Tickets
from service.api.answers import Headers, headers_of
from service.api.guards import QUERIES, READS, Gate
from service.api.rate_limits import Turnstile
from service.api.served import parameters_of
from service.api.watch import Right, Watch
from service.errors import InvalidInput, MissingKey
from service.query.listening import Listener, Seen, Subject
from service.query.live import Live
from service.query.subjects import SAVED, Subjects

EVERY_MOST = 60
"""Seconds that somebody may want between two answers."""
_OURS = ("what", "every", "lastEventId", "ticket")


class Audience:
    """The way from a request to a listener, and back."""

    def __init__(
        self,
        gate: Gate,
        turnstile: Turnstile,
        tickets: Tickets,
        live: Live,
        subjects: Subjects,
    ) -> None:
        self._tickets = tickets
        self._gate = gate
        self._turnstile = turnstile
        self._live = live
        self._subjects = subjects
        self._watch = Watch()

    async def ticket(self, scope: Mapping[str, Any]) -> NewTicket:
        """A ticket for whoever calls. Raises what the gate raises."""
        return await self._tickets.make(await self._gate.caller(headers_of(scope), QUERIES))

    async def check(self, scope: Mapping[str, Any]) -> None:
        """Raise what `join` would, unless it is that there are too many."""
        raw = parameters_of(scope["query_string"])
        right = await self._right(scope, raw)
        await self._subject(right, raw)
        _every(raw)

    async def join(self, scope: Mapping[str, Any]) -> "Seat":
        """A listener to what the request asks, as long as its credential lets it.

        Raises what the gate raises, InvalidInput, Overloaded, RateLimited, and what asking raises.
        """
        raw = parameters_of(scope["query_string"])
        right = await self._right(scope, raw)
        subject = await self._subject(right, raw)
        stranger = "" if right.credential else self._turnstile.address_of(scope)
        listener = await self._live.listen(subject, _every(raw), _seen(scope, raw), stranger)
        self._watch.add(listener, right)
        return Seat(listener, right, self)

    async def _subject(self, right: Right, raw: Mapping[str, str]) -> Subject:
        """What is listened to. Public metrics do not open what is saved: it may see payloads."""
        what, rest = _question(raw)
        if what == SAVED and not right.credential:
            raise MissingKey("saved questions are not public: send an API key in x-api-key")
        return await self._subjects.find(right.tenant, what, rest)

    def leave(self, listener: Listener, right: Right) -> None:
        """The listener has gone."""
        self._watch.remove(listener, right)
        self._live.leave(listener)

    async def _right(self, scope: Mapping[str, Any], raw: Mapping[str, str]) -> Right:
        headers = headers_of(scope)
        if (text := raw.get("ticket")) is not None:
            ticket = await self._tickets.take(text)
            await self._gate.still(ticket.credential_id, ticket.tenant, READS)
            return self._of(ticket.credential_id, ticket.tenant)
        if any(name in headers for name in (b"x-api-key", b"authorization")):
            principal = await self._gate.caller(headers, READS)
            return self._of(principal.key_id, principal.tenant)
        named = Headers({name: headers[name] for name in (b"x-env-id",) if name in headers})
        return Right("", await self._gate.reader(named), lambda: self._gate.reader(named))

    def _of(self, credential_id: str, tenant: str) -> Right:
        async def look() -> str:
            return (await self._gate.still(credential_id, tenant, READS)).tenant

        return Right(credential_id, tenant, look)


class Seat:
    """A listener, and how he leaves."""

    def __init__(self, listener: Listener, right: Right, audience: Audience) -> None:
        self.listener = listener
        self._right = right
        self._audience = audience

    def leave(self) -> None:
        self._audience.leave(self.listener, self._right)


def _question(raw: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    rest = {name: value for name, value in raw.items() if name not in _OURS}
    return raw.get("what", SAVED if "saved" in raw else "metrics"), rest


def _every(raw: Mapping[str, str]) -> float:
    text = raw.get("every", "1")
    if not re.fullmatch(r"[0-9]{1,2}", text) or not 1 <= int(text) <= EVERY_MOST:
        raise InvalidInput(
            f"`every` must be a whole number of seconds from 1 to {EVERY_MOST}", "every"
        )
    return float(text)


def _seen(scope: Mapping[str, Any], raw: Mapping[str, str]) -> Seen:
    """What the client says it had: in the header, which browsers send anew, or in the URL."""
    sent = headers_of(scope).get(b"last-event-id")
    return Seen.of(raw.get("lastEventId", "") if sent is None else sent.decode("latin-1"))
