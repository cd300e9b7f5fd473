"""Parts of a service that forget whose something is, each in one place."""

from dataclasses import replace
from typing import Any

import pyarrow as pa

from service.accounts.audit_log import Asked, AuditLog, Page
from service.accounts.partners import Partners
from service.accounts.signing_tokens import SigningToken
from service.accounts.tickets import Ticket, Tickets
from service.bootstrap import Service
from service.ingest import Ingest
from service.limits import Limit, LocalLimits, Standing
from service.query.cache import AnswerCache, Served
from service.query.customers import Customers
from service.query.listening import Listener, Subject
from service.query.live import Live
from service.query.run import Questions
from service.receipts import Receipts
from service.shared.nonces import LocalNonces


class NoTenantInItsKeys(AnswerCache):
    """Keeps one answer, whoever asks."""

    async def answer(self, key: bytes, *rest: Any) -> Served:
        return await super().answer(b"the same for all", *rest)


class NoTenantInItsSeals(Receipts):
    """Issues receipts that are good for everybody."""

    def _seal(self, tenant: str, place: bytes) -> bytes:
        return super()._seal("", place)


class NoTenantInItsSubjects(Live):
    """Tells all who ask the same question the same."""

    async def listen(self, subject: Subject, *rest: Any) -> Listener:
        return await super().listen(replace(subject, tenant=""), *rest)


class NoTenantInItsCondition(Customers):
    """Shows everybody the customers of whoever asked first."""

    first = ""

    async def _ask(self, name: str, tenant: str, values: dict[str, Any]) -> pa.Table:
        self.first = self.first or tenant
        return await super()._ask(name, self.first, values)


class KnownByTheirWorkspace(Partners):
    """Takes a partner for the first one who came from his account and workspace."""

    first: SigningToken | None = None

    async def find(self, text: str) -> SigningToken:
        self.first = self.first or await super().find(text)
        return self.first


class OneForAll(LocalLimits):
    """Counts all callers together."""

    async def take(self, limit: Limit, of: str, cost: int = 1) -> Standing:
        return await super().take(limit, "everybody", cost)


class NoEnvironmentInItsCondition(AuditLog):
    """Shows everybody everything."""

    async def page(self, asked: Asked) -> Page:
        return await super().page(replace(asked, environment_id=None))


class AlwaysTheFirst(Tickets):
    """Takes every ticket for the first that was brought."""

    first: Ticket | None = None

    async def take(self, text: str) -> Ticket:
        taken = await super().take(text)
        self.first = self.first or taken
        return self.first


def cache(parts: Service) -> Service:
    return replace(parts, questions=questions_of(parts, NoTenantInItsKeys(10)))


def receipts(parts: Service) -> Service:
    made = NoTenantInItsSeals(b"secret")
    ingest = Ingest(parts.ingest._publisher, made, parts.settings)
    return replace(parts, receipts=made, ingest=ingest)


def live(parts: Service) -> Service:
    return replace(parts, live=NoTenantInItsSubjects(parts.mark, 100, 100))


def customers(parts: Service) -> Service:
    return replace(parts, customers=NoTenantInItsCondition(parts.store, 10))


def partners(parts: Service) -> Service:
    return replace(parts, partners=KnownByTheirWorkspace(parts.signing_tokens, LocalNonces(), 300))


def limits(parts: Service) -> Service:
    return replace(parts, limits=OneForAll())


def audit(parts: Service) -> Service:
    return replace(parts, audit=NoEnvironmentInItsCondition(parts.database, 400))


def tickets(parts: Service) -> Service:
    return replace(parts, tickets=AlwaysTheFirst(parts.database))


FOUND_BY = {
    cache: "ask",
    receipts: "follow",
    live: "hear_out",
    customers: "look_at_customers",
    partners: "push",
    limits: "_is_counted",
    audit: "look_at_the_audit_log",
    tickets: "listen",
}
"""Each, and which of the steps must find it out."""


def questions_of(parts: Service, cache: AnswerCache) -> Questions:
    """Questions of the same store, with another memory."""
    return Questions(parts.store, parts.stream, cache, parts.settings, parts.mark)
