"""Who belongs to an environment: on his own account, or through a team of it."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    func,
    literal,
    select,
    union_all,
)

from service.database import metadata

OWNER = "owner"
"""The role of who may do everything in an environment or a team."""
MEMBER = "member"

ROLES = (OWNER, MEMBER)

members = Table(
    "members",
    metadata,
    Column("environment_id", ForeignKey("environments.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("role", String(16), nullable=False),
)
"""Who belongs to an environment on his own account."""

teams = Table(
    "teams",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("description", String(1000), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_teams_environment_id_name", "environment_id", "name", unique=True),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False, index=True),
    Column("team_id", String(36)),
    Column("email", String(254), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("invited_by", String(254), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""One that was accepted or revoked is gone. `digest` is the token's SHA-256."""

_through_a_team = select(
    teams.c.environment_id, team_members.c.user_id, literal(MEMBER).label("role")
).join(teams, teams.c.id == team_members.c.team_id)
_either = union_all(
    select(members.c.environment_id, members.c.user_id, members.c.role), _through_a_team
).subquery()

belonging = (
    select(_either.c.environment_id, _either.c.user_id, func.max(_either.c.role).label("role"))
    .group_by(_either.c.environment_id, _either.c.user_id)
    .subquery("belonging")
)
"""Every membership once: `environment_id`, `user_id`, and the greater `role` ("owner" sorts last).

Whoever is in a team of an environment is a member of it, for as long as he is in one.
"""
