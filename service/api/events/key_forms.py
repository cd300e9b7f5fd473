"""Keys as they are asked for and told over HTTP: wire structs, and how the document shows them."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from service.accounts.key_rows import Key
from service.accounts.keys import NewKey
from service.accounts.principals import SCOPES
from service.accounts.tiers import TIERS
from service.api.answers import iso, iso_if

Scope = Literal["ingest", "read", "sql", "admin"]

USUAL_SCOPES: tuple[Scope, ...] = ("ingest", "read")
"""What a key made over HTTP may do if nothing else is said."""


class KeyRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The key that is wanted. A field that nobody knows is refused: it may have been a limit."""

    name: str
    scopes: list[Scope] = msgspec.field(default_factory=lambda: list(USUAL_SCOPES))
    expires_at: datetime | None = None
    tier: str | None = None
    signs: bool = False


class KeyChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What shall be different of a key; what is left out stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    scopes: list[Scope] | msgspec.UnsetType = msgspec.UNSET
    expires_at: datetime | msgspec.UnsetType | None = msgspec.UNSET
    tier: str | msgspec.UnsetType = msgspec.UNSET


class KeyReport(msgspec.Struct, rename="camel"):
    """What may be told of a key; the key itself was shown once, when it was made."""

    key_id: str
    name: str
    prefix: str
    scopes: list[str]
    tier: str
    created_at: str
    last_used_at: str | None
    last_refused_at: str | None
    expires_at: str | None
    revoked_at: str | None
    replaced_by: str | None
    signs: bool


class KeyList(msgspec.Struct):
    """The keys of an environment, revoked ones too, oldest first."""

    keys: list[KeyReport]


class NewKeyReport(msgspec.Struct, rename="camel"):
    """A key just made. `apiKey` cannot be had again, nor can `signingSecret`, if it signs."""

    api_key: str
    message: str
    key_id: str
    name: str
    prefix: str
    scopes: list[str]
    tier: str
    created_at: str
    expires_at: str | None
    signs: bool
    signing_secret: str | msgspec.UnsetType = msgspec.UNSET
    replaces: str | msgspec.UnsetType = msgspec.UNSET


def new_report(new: NewKey, replaces: str | None = None) -> NewKeyReport:
    """What is told of a key this once; `replaces` is the id of the one that it was rotated from."""
    key = new.key
    return NewKeyReport(
        api_key=new.text,
        message="API key generated successfully",
        key_id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        tier=key.tier,
        created_at=iso(key.created_at),
        expires_at=iso_if(key.expires_at),
        signs=key.signs,
        signing_secret=new.signing_secret or msgspec.UNSET,
        replaces=replaces or msgspec.UNSET,
    )


def report(key: Key) -> KeyReport:
    """What may be told of a key."""
    return KeyReport(
        key_id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        tier=key.tier,
        created_at=iso(key.created_at),
        last_used_at=iso_if(key.last_used_at),
        last_refused_at=iso_if(key.last_refused_at),
        expires_at=iso_if(key.expires_at),
        revoked_at=iso_if(key.revoked_at),
        replaced_by=key.successor_id,
        signs=key.signs,
    )


NEW_KEY = {
    "apiKey": "evp_lV4gXA78mzlEjhpRIoyRx-trBxKs0g701MeEvPcrvZY",
    "message": "API key generated successfully",
    "keyId": "key_0123456789abcdef",
    "name": "Production API Key",
    "prefix": "evp_lV4gXA",
    "scopes": ["ingest", "read"],
    "tier": "free",
    "createdAt": "2024-01-30T10:00:00.000Z",
    "expiresAt": None,
    "signs": False,
}
KEY = {
    **{name: NEW_KEY[name] for name in NEW_KEY if name not in {"apiKey", "message"}},
    "lastUsedAt": None,
    "lastRefusedAt": None,
    "revokedAt": None,
    "replacedBy": None,
}
_FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 128},
    "scopes": {
        "type": "array",
        "items": {"type": "string", "enum": list(SCOPES)},
        "minItems": 1,
    },
    "expiresAt": {"type": ["string", "null"], "format": "date-time"},
}
WANTED = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        **_FIELDS,
        "scopes": {**_FIELDS["scopes"], "default": list(USUAL_SCOPES)},
        "tier": {"type": ["string", "null"], "enum": [*TIERS, None]},
        "signs": {"type": "boolean", "default": False},
    },
}
CHANGES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {**_FIELDS, "tier": {"type": "string", "enum": list(TIERS)}},
}
