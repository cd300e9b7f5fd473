"""Passwords and marks of users, teams, service accounts; what an environment's owner sets."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_SESSIONS_USER = "fk_sessions_user_id"


def upgrade() -> None:
    _extend_environments()
    _set_apart("members", "sessions")
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("password", sa.String(255)))
        users.add_column(_boolean("is_active", sa.true()))
        # Who is there has signed in with a code that came by e-mail.
        users.add_column(_boolean("is_verified", sa.true()))
        users.alter_column("environment_id", existing_type=sa.String(64), nullable=True)
    _take_back("members", "sessions")
    with op.batch_alter_table("sessions") as sessions:
        sessions.drop_constraint(_SESSIONS_USER, type_="foreignkey")
        sessions.add_column(_text("kind", 16, "user"))
        sessions.add_column(_text("name", 128, ""))
        sessions.add_column(sa.Column("environment_id", sa.String(64)))
        sessions.add_column(sa.Column("last_used_at", sa.BigInteger()))
    _make_teams()


def downgrade() -> None:
    op.drop_table("team_members")
    op.drop_table("teams")
    _forget_what_did_not_fit()
    _set_apart("members")
    with op.batch_alter_table("sessions") as sessions:
        for column in ("last_used_at", "environment_id", "name", "kind"):
            sessions.drop_column(column)
        sessions.create_foreign_key(_SESSIONS_USER, "users", ["user_id"], ["id"])
    _set_apart("sessions")
    with op.batch_alter_table("users") as users:
        users.alter_column("environment_id", existing_type=sa.String(64), nullable=False)
        for column in ("is_verified", "is_active", "password"):
            users.drop_column(column)
    _take_back("members", "sessions")
    _narrow_environments()


def _extend_environments() -> None:
    op.execute(
        "UPDATE environments SET name = substr(name, 1, 60) || ' ' || id WHERE EXISTS ("
        "SELECT 1 FROM environments e WHERE e.name = environments.name AND "
        "(e.created_at, e.id) < (environments.created_at, environments.id))"
    )
    op.add_column("environments", _text("description", 1000, ""))
    op.add_column("environments", _boolean("use_retention", sa.false()))
    op.execute("UPDATE environments SET use_retention = true WHERE retention_days IS NOT NULL")
    op.add_column("environments", sa.Column("deleted_at", sa.BigInteger()))
    op.add_column(
        "environments", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1")
    )
    op.create_index("ix_environments_revision", "environments", ["revision"])
    op.create_index("ix_environments_name", "environments", ["name"], unique=True)


def _narrow_environments() -> None:
    op.execute("UPDATE environments SET retention_days = NULL WHERE NOT use_retention")
    op.drop_index("ix_environments_name", "environments")
    op.drop_index("ix_environments_revision", "environments")
    for column in ("revision", "deleted_at", "use_retention", "description"):
        op.drop_column("environments", column)


def _make_teams() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("environment_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_teams_environment_id"
        ),
    )
    op.create_index(
        "ix_teams_environment_id_name", "teams", ["environment_id", "name"], unique=True
    )
    op.create_table(
        "team_members",
        sa.Column("team_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="pk_team_members"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_team_members_team_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_team_members_user_id"),
    )
    op.create_index("ix_team_members_user_id", "team_members", ["user_id"])


def _forget_what_did_not_fit() -> None:
    """Service accounts, sessions of users who are gone, and users without an environment."""
    op.execute("DELETE FROM sessions WHERE kind <> 'user'")
    homeless = "SELECT id FROM users WHERE environment_id IS NULL"
    for table in ("sessions", "members"):
        op.execute(f"DELETE FROM {table} WHERE user_id IN ({homeless})")  # noqa: S608
    op.execute("DELETE FROM users WHERE environment_id IS NULL")
    op.execute("DELETE FROM sessions WHERE user_id NOT IN (SELECT id FROM users)")


def _set_apart(*tables: str) -> None:
    """Empty tables that point at `users`: SQLite changes a table by making it anew."""
    if op.get_bind().dialect.name == "sqlite":
        for table in tables:
            op.execute(f"CREATE TEMPORARY TABLE kept_{table} AS SELECT * FROM {table}")  # noqa: S608
            op.execute(f"DELETE FROM {table}")  # noqa: S608


def _take_back(*tables: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in tables:
            op.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")  # noqa: S608
            op.execute(f"DROP TABLE kept_{table}")


def _boolean(name: str, default: sa.ColumnElement[bool]) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=default)


def _text(name: str, length: int, default: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=default)
