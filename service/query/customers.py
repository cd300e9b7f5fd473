"""What is known of customers: the latest version of each, all versions of one."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
import pyarrow as pa

from service.errors import NotFound, Retryable
from service.events import Event
from service.query.buckets import shown
from service.storage.protocol import EventStore, Statement

PROFILE = "customer.profile"
ATTRIBUTES = "customer.attributes"
"""Types of events that tell of a customer: all of his profile, or one list of attributes."""

MOST_CUSTOMERS = 500
"""In one page."""
MOST_VERSIONS = 1000

Json = msgspec.Raw
Fields = Mapping[str, str]


class Customer(msgspec.Struct, rename="camel"):
    """A customer as last told. `profile` and each of `attributes` is a JSON object as it came.

    `attributes` is unset in a page. `as_of` is the time that the profile itself gives,
    `received_at` when it came in.
    """

    user_id: str
    profile: Json | None
    as_of: str
    received_at: str
    attributes: dict[str, Json] | msgspec.UnsetType = msgspec.UNSET


class Version(msgspec.Struct, rename="camel"):
    """One thing that was told of a customer; `part` is empty for the profile."""

    part: str
    document: Json
    as_of: str
    received_at: str


class Customers:
    """The customers of each tenant, as the store has them."""

    def __init__(self, store: EventStore, timeout: float) -> None:
        self._store = store
        self._timeout = timeout

    async def page(
        self, tenant: str, after: str = "", limit: int = 50, fields: Fields | None = None
    ) -> Sequence[Customer]:
        """The next customers by id after `after`, of those whose profile has these `fields`.

        Without their attributes. Raises QuestionTooBig past the time cap.
        """
        wanted = dict(fields or {})
        values = {"after_user": after, "limit": limit}
        values |= {"names": list(wanted), "wanted": list(wanted.values())}
        rows = await self._ask("customers_page", tenant, values)
        return [
            Customer(row["user_id"], _json(row["document"]), *_times(row))
            for row in rows.to_pylist()
        ]

    async def find(self, tenant: str, user_id: str) -> Customer:
        """What is known of one customer now. Raises NotFound."""
        parts = await self._ask("customer_parts", tenant, {"user_id": user_id})
        rows = {row["part"]: row for row in parts.to_pylist()}
        if not rows:
            raise NotFound("there is no such customer")
        profile = rows.pop("", None)
        attributes = {part: _json(row["document"]) for part, row in rows.items()}
        latest = profile or max(rows.values(), key=lambda row: row["told_at"])
        document = _json(profile["document"]) if profile else None
        return Customer(user_id, document, *_times(latest), attributes)

    async def history(self, tenant: str, user_id: str) -> Sequence[Version]:
        """What was told of one customer, the latest first. Raises NotFound."""
        values = {"user_id": user_id, "limit": MOST_VERSIONS}
        rows = (await self._ask("customer_history", tenant, values)).to_pylist()
        if not rows:
            raise NotFound("there is no such customer")
        return [Version(row["part"], _json(row["document"]), *_times(row)) for row in rows]

    async def name_tellings(self, tenant: str, tellings: Sequence[Event]) -> None:
        """Give profiles and attributes that are about to be sent their event ids.

        An id is made from what is told and from the version that it follows: told again at once it
        is a repeat, and what is changed and changed back is three versions. While the store does
        not answer, it is made from what is told alone.
        """
        users = list({telling.user_id for telling in tellings})
        try:
            latest = await self._ask("customers_latest", tenant, {"ids": users})
        except Retryable:
            latest = pa.table({"user_id": [], "part": []})
        known = {(row["user_id"], row["part"]): row for row in latest.to_pylist()}
        for telling in tellings:
            part = _part_of(telling)
            telling.event_id = _telling_id(telling, part, known.get((telling.user_id, part)))

    async def _ask(self, name: str, tenant: str, values: dict[str, Any]) -> pa.Table:
        asked = Statement(name, {"tenant": tenant, **values})
        [answer] = await self._store.fetch(asked, timeout=self._timeout)
        return answer


def _part_of(telling: Event) -> str:
    payload = telling.payload or {}
    return "" if telling.event_type == PROFILE else str(payload["list_name"])


def _told(telling: Event) -> Any:
    """The document that the store keeps of it."""
    payload = telling.payload or {}
    return payload if telling.event_type == PROFILE else payload["ext_data"]


def _telling_id(telling: Event, part: str, follows: Mapping[str, Any] | None) -> str:
    told = msgspec.json.encode(_told(telling))
    if follows and follows["document"].encode() == told:
        return str(follows["event_id"])
    name = msgspec.json.encode((telling.user_id, part, told, follows and follows["event_id"]))
    return f"{telling.event_type}_{blake2b(name, digest_size=16).hexdigest()}"


def _json(text: str) -> Json:
    return Json(text.encode())


def _times(row: Mapping[str, Any]) -> tuple[str, str]:
    return shown(row["told_at"]), shown(row["received_at"])
