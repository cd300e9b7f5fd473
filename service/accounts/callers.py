"""Who asks for a change of the accounts: a user who is signed in, in one request."""

from dataclasses import dataclass

from service.accounts.audit import Actor
from service.accounts.sessions import SignedIn
from service.accounts.users import User


@dataclass(frozen=True, slots=True)
class Caller:
    """A user who is signed in, and how the audit log names him."""

    session: SignedIn
    by: Actor
    named: str | None = None
    """The environment that he speaks for; None for the one where he works."""

    @property
    def user(self) -> User:
        return self.session.user

    @property
    def only(self) -> str | None:
        """The one environment that a service account may know of; None for a person."""
        return self.session.only

    @property
    def is_superuser(self) -> bool:
        """Whether he may see and change what is not his; a service account never does."""
        return self.user.is_superuser and self.only is None
