"""A user as the control face shows him."""

import msgspec

from service.accounts.passwords import LONGEST, SHORTEST
from service.accounts.tenancy import Member
from service.accounts.users import User
from service.api.answers import iso


class UserDocument(msgspec.Struct):
    """A user. `active_env_id` is the environment that he works in."""

    id: str
    email: str
    is_active: bool
    is_superuser: bool
    is_verified: bool
    active_env_id: str | None
    name: str
    created_at: str


def document_of(user: User) -> UserDocument:
    """The user as the control face shows him."""
    return UserDocument(
        id=user.id,
        email=user.email,
        is_active=user.is_active,
        is_superuser=user.is_superuser,
        is_verified=user.is_verified,
        active_env_id=user.environment_id,
        name=user.name,
        created_at=iso(user.created_at),
    )


EMAIL = {"type": "string", "format": "email"}
PASSWORD = {"type": "string", "minLength": SHORTEST, "maxLength": LONGEST}
A_USER = {
    "id": "3b0c298a-062e-42d1-a01b-277fa66908da",
    "email": "john.doe@company.com",
    "is_active": True,
    "is_superuser": False,
    "is_verified": False,
    "active_env_id": None,
    "name": "john.doe",
    "created_at": "2025-11-19T10:00:00.000Z",
}


class MemberDocument(msgspec.Struct):
    """Who belongs to a team or an environment, and as what."""

    id: str
    email: str
    role: str


def member_document(member: Member) -> MemberDocument:
    """The member as the control face shows him."""
    return MemberDocument(member.user.id, member.user.email, member.role)


A_MEMBER = {
    "id": "3b0c298a-062e-42d1-a01b-277fa66908da",
    "email": "john.doe@company.com",
    "role": "owner",
}
