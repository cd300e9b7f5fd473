"""Everything that people change about accounts, put together."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from service.accounts.logins import Logins
from service.accounts.passwords import Passwords
from service.accounts.sign_in import Desk
from service.accounts.tenancy import Tenancy
from service.database import Database


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts of the accounts that the control face changes."""

    logins: Logins
    tenancy: Tenancy

    @classmethod
    def over(
        cls,
        database: Database,
        desk: Desk,
        passwords: Passwords,
        holds_events: Callable[[str], Awaitable[bool]],
    ) -> Self:
        """All of them over one database; `holds_events(environment_id)` as for `Tenancy`."""
        return cls(
            logins=Logins(database, desk, passwords),
            tenancy=Tenancy(database, desk.sessions, holds_events),
        )
