"""`headrace users`: people as the operator lists, makes and marks them."""

from collections.abc import Callable, Mapping

from service.accounts import governing
from service.accounts.addresses import account_of
from service.accounts.commands.opened import opened_accounts, operator
from service.accounts.commands.shown import Screen, day
from service.accounts.passwords import Passwords, check_password
from service.accounts.sessions import end_all
from service.accounts.users import User, Users
from service.settings import Settings


async def list_users(settings: Settings, screen: Screen) -> None:
    """Show all users, oldest first."""
    async with opened_accounts(settings) as database:
        screen.show(await Users(database).list(), _COLUMNS)


async def show_user(settings: Settings, email: str, screen: Screen) -> None:
    """Show one user. Raises NotFound, or InvalidInput for no address."""
    async with opened_accounts(settings) as database:
        screen.show([await Users(database).find(account_of(email))], _COLUMNS)


async def make_user(
    settings: Settings, email: str, password: str | None, is_superuser: bool
) -> User:
    """Make an account; without a password for somebody who signs in with codes.

    Raises InvalidInput, Conflict when there is one of this address.
    """
    address = account_of(email)
    if password is not None:
        check_password(password)
    kept = None if password is None else await Passwords().hash(password)
    async with opened_accounts(settings) as database:
        people = Users(database, account_of(settings.owner_email) if settings.owner_email else "")
        made = await governing.make_user(database, people, address, kept, operator())
        if is_superuser and not made.is_superuser:
            return await governing.set_superuser(database, address, True, operator())
        return made


async def set_superuser(settings: Settings, email: str, is_superuser: bool) -> User:
    """Promote or demote a user. Raises NotFound, InvalidInput, Conflict."""
    async with opened_accounts(settings) as database:
        address = account_of(email)
        return await governing.set_superuser(database, address, is_superuser, operator())


async def set_active(settings: Settings, email: str, is_active: bool) -> User:
    """Let a user sign in, or not any more. Raises NotFound, InvalidInput, Conflict."""
    async with opened_accounts(settings) as database:
        return await governing.set_active(database, account_of(email), is_active, operator())


async def sign_out(settings: Settings, email: str) -> int:
    """End every session of a user; how many. Raises NotFound, or InvalidInput for no address."""
    async with opened_accounts(settings) as database:
        user = await Users(database).find(account_of(email))
        return await end_all(database, user, operator())


def _marks(user: User) -> str:
    marks = {
        "superuser": user.is_superuser,
        "unverified": not user.is_verified,
        "deactivated": not user.is_active,
    }
    return ", ".join(mark for mark, has in marks.items() if has)


_COLUMNS: Mapping[str, Callable[[User], str]] = {
    "e-mail": lambda user: user.email,
    "name": lambda user: user.name,
    "environment": lambda user: user.environment_id or "",
    "created": lambda user: day(user.created_at),
    "": _marks,
}
