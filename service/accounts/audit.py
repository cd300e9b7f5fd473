"""The audit log: who changed what, when, and from where. A row is kept or lost with its change."""

import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.database import metadata

KEY_MADE = "key.made"
KEY_CHANGED = "key.changed"
KEY_ROTATED = "key.rotated"
KEY_REVOKED = "key.revoked"
BOOTSTRAP_REPLACED = "key.bootstrap_replaced"
SIGNING_MADE = "signing_token.made"
SIGNING_CHANGED = "signing_token.changed"
SIGNING_ROTATED = "signing_token.rotated"
SIGNING_REVOKED = "signing_token.revoked"
CODE_ASKED = "code.asked"
CODE_REFUSED = "code.refused"
USER_MADE = "user.made"
USER_CHANGED = "user.changed"
USER_DELETED = "user.deleted"
PASSWORD_CHANGED = "user.password_changed"  # noqa: S105
RESET_ASKED = "user.reset_asked"
PASSWORD_RESET = "user.password_reset"  # noqa: S105
ACCOUNTS_EXPORTED = "accounts.exported"
ACCOUNTS_IMPORTED = "accounts.imported"
SERVICE_ACCOUNT_MADE = "service_account.made"
SERVICE_ACCOUNT_REVOKED = "service_account.revoked"
SESSION_BEGUN = "session.begun"
SESSION_REFUSED = "session.refused"
SESSION_ENDED = "session.ended"
SESSIONS_ENDED = "session.all_ended"
ENVIRONMENT_MADE = "environment.made"
ENVIRONMENT_CHANGED = "environment.changed"
ENVIRONMENT_DELETED = "environment.deleted"
ENVIRONMENT_MEMBER_REMOVED = "environment.member_removed"
RETENTION_CHANGED = "environment.retention_changed"
TEAM_MADE = "team.made"
TEAM_CHANGED = "team.changed"
TEAM_DELETED = "team.deleted"
TEAM_MEMBER_ADDED = "team.member_added"
TEAM_MEMBER_CHANGED = "team.member_changed"
TEAM_MEMBER_REMOVED = "team.member_removed"
CUSTOMER_ERASED = "customer.erased"
SAVED_MADE = "saved_question.made"
SAVED_CHANGED = "saved_question.changed"
SAVED_REMOVED = "saved_question.removed"
CONNECTOR_MADE = "connector.made"
CONNECTOR_CHANGED = "connector.changed"
CONNECTOR_DELETED = "connector.deleted"
PIPELINE_MADE = "pipeline.made"
PIPELINE_CHANGED = "pipeline.changed"
PIPELINE_DELETED = "pipeline.deleted"
PIPELINE_STARTED = "pipeline.started"
PIPELINE_RESTARTED = "pipeline.restarted"
PIPELINE_PAUSED = "pipeline.paused"
PIPELINE_IMPORTED = "pipeline.imported"
PIPELINE_BACKFILLED = "pipeline.backfilled"
SUBSCRIPTION_MADE = "subscription.made"
SUBSCRIPTION_CHANGED = "subscription.changed"
SUBSCRIPTION_DELETED = "subscription.deleted"
SUBSCRIPTION_STARTED = "subscription.started"
SUBSCRIPTION_PAUSED = "subscription.paused"
LETTER_REPLAYED = "subscription.dead_letter_replayed"
LETTER_DISCARDED = "subscription.dead_letter_discarded"
DATAMODEL_CHANGED = "datamodel.changed"
DATAMODEL_DELETED = "datamodel.deleted"
UPLOAD_TAKEN = "upload.taken"
UPLOAD_RESUMED = "upload.resumed"
UPLOAD_REMOVED = "upload.removed"
INVITATION_SENT = "invitation.sent"
INVITATION_REVOKED = "invitation.revoked"
INVITATION_ACCEPTED = "invitation.accepted"

_LONGEST = 254

Kind = Literal["user", "key", "service", "operator", "nobody"]
"""A person signed in, an API key, a service account, who runs the service, a stranger."""

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("environment_id", String(64)),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_id", String(_LONGEST), nullable=False),
    Column("actor_name", String(_LONGEST), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(_LONGEST), nullable=False),
    Column("details", JSON, nullable=False),
    Index("ix_audit_environment_id_number", "environment_id", "number"),
    Index("ix_audit_actor_kind_number", "actor_kind", "number"),
    Index("ix_audit_actor_id_number", "actor_id", "number"),
    Index("ix_audit_subject_number", "subject", "number"),
)
"""`number` grows in the order of commits. No row refers to another table: it outlives its subject.
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from which network address, as far as that is known."""

    kind: Kind
    id: str
    name: str
    address: str


SERVICE = Actor("operator", "", "headrace", "")
"""The service itself, as its operator set it up."""


def nobody(address: str = "") -> Actor:
    """A stranger at an address."""
    return Actor("nobody", "", "", address)


async def note(
    connection: AsyncConnection,
    by: Actor,
    action: str,
    subject: str,
    environment_id: str | None = None,
    **details: Any,
) -> None:
    """Note in the caller's transaction what it changes.

    `details` are plain JSON values, and never a secret. Texts are cut to what a row holds.
    """
    row = {
        "id": f"aud_{secrets.token_hex(12)}",
        "at": time.time_ns() // 1_000_000,
        "environment_id": environment_id,
        "actor_kind": by.kind,
        "actor_id": by.id[:_LONGEST],
        "actor_name": by.name[:_LONGEST],
        "address": by.address[:64],
        "action": action,
        "subject": subject[:_LONGEST],
        "details": details,
    }
    await connection.execute(insert(audit).values(**row))
