"""Real accounts in a folder, and letters that are kept in a list instead of sent."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from argon2 import PasswordHasher

from service.accounts.audit_log import AuditLog
from service.accounts.codes import Codes
from service.accounts.environments import Environments
from service.accounts.keys import Keys
from service.accounts.partners import Partners
from service.accounts.passwords import Passwords
from service.accounts.registry import Registry
from service.accounts.saved import SavedQuestions
from service.accounts.sealing import Sealing
from service.accounts.sessions import Sessions
from service.accounts.sign_in import Desk, SignIn, Welcome
from service.accounts.signatures import Signatures
from service.accounts.signing_tokens import SigningTokens
from service.accounts.tokens import Tokens
from service.accounts.users import Users
from service.database import Database, open_database, upgrade
from service.limits import LocalLimits
from service.mail.protocol import Letter
from service.pipelines.control.registry import Control
from service.settings import Settings
from service.shared.nonces import LocalNonces

SECRET = b"a secret of the tests"


class Letters(list[Letter]):
    """A mailbox that everything arrives in."""

    async def send(self, letter: Letter) -> None:
        self.append(letter)

    @property
    def code(self) -> str:
        """The code in the last letter."""
        found = re.search(r"\b\d{6}\b", self[-1].text)
        assert found
        return found[0]


@dataclass
class Accounts:
    """The parts of the accounts, opened."""

    database: Database
    environments: Environments
    keys: Keys
    signatures: Signatures
    users: Users
    sessions: Sessions
    sign_in: SignIn
    registry: Registry
    pipelines: Control
    letters: Letters
    limits: LocalLimits
    audit: AuditLog
    signing_tokens: SigningTokens
    saved: SavedQuestions
    partners: Partners
    full: set[str]
    """Environments that have events."""

    async def welcome(self, email: str) -> Welcome:
        """Sign in as a person does."""
        await self.sign_in.request_code(email)
        return await self.sign_in.verify(email, self.letters.code)

    async def signed_in(self, email: str) -> dict[str, str]:
        """What this user shows who has just begun a session."""
        return {"authorization": f"Bearer {await self.token(email)}"}

    async def token(self, email: str) -> str:
        """The token of a session of this user's, which costs no letter."""
        async with self.database.writing() as connection:
            user = await self.users.ensure(connection, email)
            return await self.sessions.begin(connection, user)


async def _is_in(full: set[str], environment_id: str) -> bool:
    return environment_id in full


def quick_passwords(**changed: Any) -> Passwords:
    """Hashes that cost next to nothing."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), **changed)


_made: list[bytes] = []


async def _schema() -> bytes:
    """The file of a database that was just migrated: to migrate takes longer than most tests."""
    if not _made:
        with TemporaryDirectory() as folder:
            database = open_database(Settings(data_dir=Path(folder)))
            await upgrade(database)
            await database.close()
            _made.append((Path(folder) / "control.sqlite").read_bytes())
    return _made[0]


async def _database(place: Path | Settings) -> Database:
    """The database of a folder, or where settings say, with its schema."""
    if isinstance(place, Path) and _put(await _schema(), place):
        return open_database(Settings(data_dir=place))
    database = open_database(Settings(data_dir=place) if isinstance(place, Path) else place)
    await upgrade(database)
    return database


def _put(schema: bytes, folder: Path) -> bool:
    """Whether there was none in the folder; there is one now."""
    if (file := folder / "control.sqlite").exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(schema)
    return True


@asynccontextmanager
async def opened_accounts(
    place: Path | Settings, owner: str = "", secrets: tuple[bytes, ...] = (SECRET,)
) -> AsyncIterator[Accounts]:
    """The accounts of a folder, or where settings say, as one process has them open."""
    database = await _database(place)
    sealing = Sealing(secrets[0], secrets[1:])
    environments, keys = Environments(database), Keys(database, sealing)
    signatures = Signatures(database, sealing, LocalNonces(), 300)
    await environments.ensure_default()
    signing_tokens, saved = SigningTokens(database), SavedQuestions(database)
    users, letters, limits = Users(database, owner), Letters(), LocalLimits()
    sessions = Sessions(database, Tokens(secrets[0], secrets[1:]))
    desk = Desk(Codes(secrets[0]), users, sessions, letters, limits)
    sign_in, full = SignIn(database, desk), set[str]()
    registry = Registry.over(database, desk, quick_passwords(), partial(_is_in, full))
    try:
        yield Accounts(
            database=database,
            environments=environments,
            keys=keys,
            signatures=signatures,
            users=users,
            sessions=sessions,
            sign_in=sign_in,
            registry=registry,
            pipelines=Control.over(database, sealing),
            letters=letters,
            limits=limits,
            full=full,
            audit=AuditLog(database, days=400),
            signing_tokens=signing_tokens,
            saved=saved,
            partners=Partners(signing_tokens, LocalNonces(), 300),
        )
    finally:
        await sessions.close()
        await signatures.close()
        await keys.close()
        await environments.close()
        await signing_tokens.close()
        await saved.close()
        await database.close()
