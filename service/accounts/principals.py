"""Whom a credential speaks for, whatever kind it is, and what it may do there."""

from dataclasses import dataclass

from service.accounts.audit import Actor, Kind
from service.accounts.tiers import ENTERPRISE

SCOPES = ("ingest", "read", "sql", "admin")
"""What a credential may be allowed: send events, ask questions, ask in SQL, manage keys."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a valid credential speaks for."""

    tenant: str
    scopes: frozenset[str]
    key_id: str
    """The id of the key, or of the session."""
    name: str
    tier: str = ENTERPRISE
    kind: Kind = "key"
    user_id: str = ""
    """Who is signed in; empty for a key."""
    is_superuser: bool = False

    def actor(self, address: str) -> Actor:
        """Who calls from this address, for the audit log."""
        return Actor(self.kind, self.user_id or self.key_id, self.name, address)
