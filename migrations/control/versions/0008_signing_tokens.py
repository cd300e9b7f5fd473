"""Signing tokens; which key another one was rotated into."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("successor_id", sa.String(64), nullable=True))
    op.create_table(
        "signing_tokens",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("environment_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(128), nullable=False),
        sa.Column("workspace_id", sa.String(128), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scheme", sa.String(16), nullable=True),
        sa.Column("requires_nonce", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("last_scheme", sa.String(16), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("successor_id", sa.String(64), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signing_tokens"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_signing_tokens_environment_id"
        ),
        sa.UniqueConstraint("digest", name="uq_signing_tokens_digest"),
    )
    op.create_index("ix_signing_tokens_environment_id", "signing_tokens", ["environment_id"])
    op.create_index("ix_signing_tokens_revision", "signing_tokens", ["revision"])


def downgrade() -> None:
    op.drop_table("signing_tokens")
    with op.batch_alter_table("api_keys") as api_keys:
        api_keys.drop_column("successor_id")
