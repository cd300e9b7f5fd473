"""Everything that people change about accounts, put together."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from service.accounts.exchange import Exchange
from service.accounts.invitations import Invitations
from service.accounts.logins import Logins
from service.accounts.passwords import Passwords
from service.accounts.people import People
from service.accounts.resets import Resets
from service.accounts.service_accounts import ServiceAccounts
from service.accounts.sign_in import Desk
from service.accounts.teams import Teams
from service.accounts.tenancy import Tenancy
from service.database import Database


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts of the accounts that the control face changes."""

    logins: Logins
    resets: Resets
    people: People
    service_accounts: ServiceAccounts
    tenancy: Tenancy
    teams: Teams
    invitations: Invitations
    exchange: Exchange

    @classmethod
    def over(
        cls,
        database: Database,
        desk: Desk,
        passwords: Passwords,
        holds_events: Callable[[str], Awaitable[bool]],
    ) -> Self:
        """All of them over one database; `holds_events(environment_id)` as for `Tenancy`."""
        logins, sessions = Logins(database, desk, passwords), desk.sessions
        return cls(
            logins=logins,
            resets=Resets(database, desk, passwords),
            people=People(database, sessions, logins),
            service_accounts=ServiceAccounts(database, sessions),
            tenancy=Tenancy(database, sessions, holds_events),
            teams=Teams(database, sessions),
            invitations=Invitations(database, sessions, desk.mail, desk.limits),
            exchange=Exchange(database, sessions),
        )
