"""From the body of a signed request to events: all of its records, or everything that is wrong.

Whole records are converted at once; a record that does not fit is looked at field by field, so that
each of its faults is told.
"""

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec

from service.accounts.addresses import account_of
from service.api.signed.shapes import (
    PAIRS,
    AccountEvent,
    Attributes,
    CustomerProfile,
    DepositEvent,
    GamingEvent,
    PartnerEvent,
    Record,
    SystemEvent,
    UserEvent,
    WithdrawEvent,
)
from service.errors import InvalidInput, TooLarge
from service.events import Event
from service.query.customers import ATTRIBUTES, PROFILE

MOST_RECORDS = 500
"""Records in one request."""
MOST_FAULTS = 100
"""Faults that one answer tells."""

Fields = dict[str, Any]


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one field of one record; `index` is the record's place in the body."""

    index: int
    field: str
    issue: str


class Faulty(InvalidInput):
    """Some records are wrong; none was taken."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(f"Validation failed: {first.field}: {first.issue}", first.field)
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Workspace:
    """Whose records these are, by the signature."""

    account_id: str
    workspace_id: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: what it looks like, and the event that it becomes."""

    about: str
    """As answers call it."""
    model: type[Record]
    event_of: Callable[[Any, Fields], Event]
    """From a record that fits and its fields as they came."""
    table: Literal["events", "customers"] = "events"
    time: str = "event_time"
    """The field that becomes the event's time."""
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> Mapping[str, str]:
        """Its own names of an event's fields."""
        return {"eventId": "event_id", "userId": "user_id", "timestamp": self.time}


def events_of(kind: Kind, body: bytes, workspace: Workspace) -> Sequence[Event]:
    """The events of a body, one object or an array of them, in order.

    Raises Faulty, InvalidInput for what is no JSON or no record, TooLarge past `MOST_RECORDS`.
    """
    records = _records(body)
    if fitting := _fitting(kind, records, workspace):
        return list(map(kind.event_of, fitting, records))
    events: list[Event] = []
    faults: list[Fault] = []
    for index, fields in enumerate(records):
        try:
            record = msgspec.convert(fields, kind.model)
            wrong = list(_wrong(record, workspace))
        except msgspec.ValidationError:
            wrong = list(_field_by_field(kind.model, fields))
        if wrong:
            faults += [Fault(index, field, issue) for field, issue in wrong]
        elif not faults:
            events.append(kind.event_of(record, fields))
    if faults:
        raise Faulty(faults[:MOST_FAULTS])
    return events


def _fitting(
    kind: Kind, records: Sequence[Fields], workspace: Workspace
) -> Sequence[Record] | None:
    """All of the records, converted at once, if nothing is wrong with any of them."""
    whose = (workspace.account_id, workspace.workspace_id)
    try:
        found: Sequence[Record] = msgspec.convert(records, _many(kind.model))
    except msgspec.ValidationError:
        return None
    if any((record.account_id, record.workspace_id) != whose for record in found):
        return None
    if kind.model in _LOOKED_AT and any(any(_wrong(record, workspace)) for record in found):
        return None
    return found


@cache
def _many(model: type[Record]) -> Any:
    return list[model]  # type: ignore[valid-type]


def _records(body: bytes) -> Sequence[Fields]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if body.startswith(codecs.BOM_UTF8):
            raise InvalidInput("the body begins with a byte order mark; send JSON") from None
        raise InvalidInput(f"the body is not valid JSON: {error}") from None
    records = document if isinstance(document, list) else [document]
    if not records:
        raise InvalidInput("the body has no records")
    if len(records) > MOST_RECORDS:
        raise TooLarge(f"a request may have at most {MOST_RECORDS} records")
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise InvalidInput(f"record {index} is not an object")
    return records


def _field_by_field(model: type[Record], fields: Fields) -> Iterator[tuple[str, str]]:
    for one in msgspec.structs.fields(model):
        name = one.encode_name
        if name not in fields:
            if one.required:
                yield name, "missing required field"
            continue
        try:
            msgspec.convert(fields[name], one.type)
        except msgspec.ValidationError as error:
            yield name, _issue(one.type, error)


def _issue(kind: Any, error: Exception) -> str:
    """What is wrong, and of a closed choice what is allowed."""
    choices = [choice for part in (kind, *get_args(kind)) for choice in _choices(part)]
    return f"must be one of {', '.join(choices)}" if choices else str(error)


def _choices(kind: Any) -> Sequence[str]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _wrong(record: Record, workspace: Workspace) -> Iterator[tuple[str, str]]:
    """What no type says."""
    if record.account_id != workspace.account_id:
        yield "account_id", "is not the account that signed"
    if record.workspace_id != workspace.workspace_id:
        yield "workspace_id", "is not the workspace that signed"
    if isinstance(record, CustomerProfile):
        yield from _wrong_in_profile(record)
    if isinstance(record, Attributes) and not isinstance(_object(record.ext_data), dict):
        yield "ext_data", "must be a JSON object, or the text of one"
    if isinstance(record, SystemEvent) and not isinstance(_object(record.event_data), dict | None):
        yield "event_data", "must be a JSON object, or the text of one"


_LOOKED_AT = {CustomerProfile, Attributes, SystemEvent}
"""Records of which more is asked than their types say, and whose they are."""


def _wrong_in_profile(profile: CustomerProfile) -> Iterator[tuple[str, str]]:
    try:
        account_of(profile.email)
    except InvalidInput as error:
        yield "email", str(error)
    for older, newer in PAIRS:
        if getattr(profile, older) is msgspec.UNSET and getattr(profile, newer) is msgspec.UNSET:
            yield older, f"missing required field; {newer} will do instead"


def _object(value: Any) -> Any:
    """An object that may have come as the text of one."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value


def schema_of(kind: Kind) -> dict[str, Any]:
    """A body of this kind as JSON Schema, for the documentation."""
    shapes = msgspec.json.schema_components([kind.model])[1]
    record = {**shapes[kind.model.__name__], "additionalProperties": True}
    many = {"type": "array", "items": record, "minItems": 1, "maxItems": MOST_RECORDS}
    return {"oneOf": [record, many]}


_OF_THE_EVENT = {"account_id", "workspace_id", "user_id", "event_id", "event_time", "metadata"}
"""Fields of a record that the event has elsewhere than in its payload."""


def _event(event_type: str) -> Callable[[PartnerEvent, Fields], Event]:
    def event_of(record: PartnerEvent, fields: Fields) -> Event:
        return Event(
            event_type=event_type,
            user_id=record.user_id if isinstance(record, UserEvent) else "",
            session_id="",
            timestamp=record.event_time,
            metadata=record.metadata,
            payload={n: v for n, v in fields.items() if n not in _OF_THE_EVENT},
            event_id=record.event_id,
        )

    return event_of


def _system_event(record: SystemEvent, fields: Fields) -> Event:
    told = _object(record.event_data)
    return _event("system")(record, {**fields, "event_data": told} if told is not None else fields)


def _profile(record: CustomerProfile, fields: Fields) -> Event:
    return Event(
        event_type=PROFILE,
        user_id=record.user_id,
        session_id="",
        timestamp=record.creation_timestamp,
        payload=fields,
    )


def _attributes(record: Attributes, _: Fields) -> Event:
    return Event(
        event_type=ATTRIBUTES,
        user_id=record.user_id,
        session_id="",
        timestamp=datetime.now(UTC),
        payload={"list_name": record.list_name, "ext_data": _object(record.ext_data)},
    )


_WHOSE = {"account_id": "acc1", "workspace_id": "ws1"}
_EVENT = {
    **_WHOSE,
    "user_id": "user123456",
    "event_category": "Account",
    "event_name": "Player Registration",
    "event_id": "evt_123456789",
    "event_time": "2024-01-15T10:30:00Z",
}
_ATTRIBUTES = {**_WHOSE, "user_id": "user123456", "list_name": "risk", "ext_data": {"score": 2}}
_CUSTOMER = {
    **_WHOSE,
    "user_id": "user123456",
    "username": "john_doe",
    "full_name": "John Doe",
    "date_of_birth": "1990-01-15",
    "email": "john.doe@example.com",
    "phone_number": "+1234567890",
    "currency": "USD",
    "subscription": "Subscribed",
    "deposit_limits": 1000.0,
    "loss_limits": 500.0,
    "wagering_limits": 2000.0,
    "session_time_limits": 120,
    "cooling_off_period": 7,
    "self_exclusion_period": 30,
    "account_status": "Active",
    "vip_status": "Regular",
    "loyalty_program_tiers": "Bronze",
    "financial_risk_level": 0.3,
    "referral_link_code": "REF789",
    "creation_timestamp": "2024-01-15T10:30:00Z",
    "phone_verification": "Verified",
    "email_verification": "Verified",
    "bank_verification": "NotVerified",
    "iddoc_verification": "Verified",
}


def _of_events(
    about: str, model: type[PartnerEvent], event_type: str, event_of: Any = None, **example: Any
) -> Kind:
    return Kind(f"{about} event", model, event_of or _event(event_type), example=_EVENT | example)


KINDS: Mapping[str, Kind] = {
    "customers": Kind(
        "customer profile", CustomerProfile, _profile, "customers", "creation_timestamp", _CUSTOMER
    ),
    "extattributes": Kind(
        "customer attribute", Attributes, _attributes, "customers", example=_ATTRIBUTES
    ),
    "events/account": _of_events("account", AccountEvent, "account", device="desktop"),
    "events/deposit": _of_events("deposit", DepositEvent, "deposit", amount=500.0),
    "events/withdraw": _of_events("withdraw", WithdrawEvent, "withdraw", amount=250.0),
    "events/gaming-activity": _of_events(
        "gaming activity", GamingEvent, "gaming-activity", wager_amount=10.0, win_amount=25.0
    ),
    "events/wallet-balance": _of_events("wallet balance", UserEvent, "wallet-balance"),
    "events/refer-friend": _of_events("refer friend", UserEvent, "refer-friend"),
    "events/system-events": _of_events("system", SystemEvent, "system", _system_event),
}
"""Each kind by its path below the mount."""
