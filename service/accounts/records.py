"""The document of all accounts, and what makes sense in it.

Passwords, keys, tokens, sessions and open invitations are not in it. A later kind of thing gets a
list of its own, and the document another version.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from service.accounts.addresses import account_of
from service.accounts.names import check_description, check_name
from service.accounts.saved import check_saved
from service.accounts.tenancy import LONGEST_RETENTION
from service.accounts.tiers import TIERS
from service.errors import InvalidInput

VERSION = 2
READS = (1, VERSION)
"""The versions of the document that are taken in; 1 knew of no saved questions and pipelines."""

_LATEST = 253_402_300_799_999
"""The last ms of the year 9999."""

Role = Literal["owner", "member"]


class UserRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A user; times in ms since 1970 UTC."""

    id: str
    email: str
    name: str
    is_active: bool
    is_superuser: bool
    is_verified: bool
    active_env_id: str | None
    created_at: int


class EnvironmentRecord(msgspec.Struct, forbid_unknown_fields=True):
    """An environment. Who sees the default one's metrics, a setting says."""

    id: str
    name: str
    description: str
    use_retention: bool
    retention_days: int | None
    public_metrics: bool
    tier: str
    created_at: int


class MembershipRecord(msgspec.Struct, forbid_unknown_fields=True):
    """Who belongs to an environment on his own account."""

    env_id: str
    user_id: str
    role: Role


class TeamRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A team."""

    id: str
    env_id: str
    name: str
    description: str
    created_at: int


class TeamMemberRecord(msgspec.Struct, forbid_unknown_fields=True):
    """Who is in a team."""

    team_id: str
    user_id: str
    role: Role


class SavedRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A saved question, with its definition as it is kept."""

    env_id: str
    name: str
    definition: str


class Accounts(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The document."""

    format: Literal["headrace-accounts"] = "headrace-accounts"
    version: int
    exported_at: int
    environments: list[EnvironmentRecord]
    users: list[UserRecord]
    members: list[MembershipRecord]
    teams: list[TeamRecord]
    team_members: list[TeamMemberRecord]
    saved_questions: list[SavedRecord] = []


def check_records(document: Accounts) -> None:
    """Raises InvalidInput, with the list for a field, for what makes no sense."""
    if document.version not in READS:
        raise InvalidInput(f"this service reads the versions {READS[0]} to {VERSION}", "version")
    for kind, check in _CHECKS.items():
        for number, record in enumerate(getattr(document, kind)):
            try:
                check(record)
            except InvalidInput as error:
                raise InvalidInput(f"number {number}: {error}", kind) from None


def _check_row(record: UserRecord | EnvironmentRecord | TeamRecord) -> None:
    longest = 64 if isinstance(record, EnvironmentRecord) else 36
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{longest}}}", record.id):
        raise InvalidInput(f"an id has 1 to {longest} letters, digits, _ and -")
    if not 0 <= record.created_at <= _LATEST:
        raise InvalidInput("`created_at` is a time in ms since 1970 UTC")
    check_name(record.name)


def _check_environment(environment: EnvironmentRecord) -> None:
    _check_row(environment)
    check_description(environment.description)
    if environment.tier not in TIERS:
        raise InvalidInput(f"a tier is one of {', '.join(TIERS)}")
    days = environment.retention_days
    if days is not None and not 1 <= days <= LONGEST_RETENTION:
        raise InvalidInput(f"`retention_days` is a whole number from 1 to {LONGEST_RETENTION}")


def _check_user(user: UserRecord) -> None:
    _check_row(user)
    if account_of(user.email) != user.email:
        raise InvalidInput("an address stands in lower case")


def _check_team(team: TeamRecord) -> None:
    _check_row(team)
    check_description(team.description)


_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "environments": _check_environment,
    "users": _check_user,
    "teams": _check_team,
    "saved_questions": lambda saved: check_saved(saved.name, saved.definition),
}
