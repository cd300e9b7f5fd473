"""The relational database of accounts: its engine, its transactions, its schema.

SQLite in the data directory, or PostgreSQL. On both, transactions that write take turns: on SQLite
by its lock, on PostgreSQL by an advisory lock that ends with the transaction.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import as_file

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from service import crash
from service.errors import AccountsUnavailable, MigrationError
from service.resources import directory
from service.settings import Settings

_TURN = text("SELECT pg_advisory_xact_lock(7162841093)")
"""A number of ours: every process takes the same lock before it writes."""
_CLOCK = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
_TIMEOUT = 5.0
"""Seconds for a connection, and for each statement, after which the server counts as away."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)
"""Every table of accounts; each is declared in the file that owns it."""


class Database:
    """Transactions on the relational database. Safe to use from many tasks at once.

    Any use may raise `sqlalchemy.exc.SQLAlchemyError` when the database does not answer.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One snapshot, which no writer delays."""
        async with self._connected() as connection:
            if self._is_server:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that takes its turn among writers; kept when the block ends well."""
        async with self._connected() as connection:
            await connection.execution_options(writes=True)
            async with connection.begin():
                if self._is_server:
                    await connection.execute(_TURN)
                yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """A connection. What PostgreSQL's driver says of the network becomes SQLAlchemy's error."""
        try:
            async with self.engine.connect() as connection:
                yield connection
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise OperationalError(None, None, error) from error

    @property
    def _is_server(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    async def ping(self) -> None:
        """Return when the database answers; raises AccountsUnavailable when it does not."""
        try:
            async with self.reading() as connection:
                await connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", error)
            raise AccountsUnavailable(
                f"the accounts' database does not answer: {reason}"
            ) from error

    async def clock(self) -> int | None:
        """The server's clock, ms since 1970 UTC; None of a file. Raises AccountsUnavailable."""
        if not self._is_server:
            return None
        with heard():
            async with self.reading() as connection:
                return int((await connection.execute(_CLOCK)).scalar_one())

    async def close(self) -> None:
        await self.engine.dispose()


@contextmanager
def heard() -> Iterator[None]:
    """Raises AccountsUnavailable when the database does not answer in the block."""
    try:
        yield
    except (OperationalError, InterfaceError, NoConnectionFree) as error:
        reason = getattr(error, "orig", error)
        raise AccountsUnavailable(f"the accounts' database does not answer: {reason}") from error


def open_database(settings: Settings) -> Database:
    """The database of these settings. Nothing is read before its first use."""
    if settings.postgres_url:
        return Database(_server(settings.postgres_url))
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(f"sqlite+aiosqlite:///{settings.data_dir / 'control.sqlite'}")
    _prepare_sqlite(engine)
    return Database(engine)


def _server(url: str) -> AsyncEngine:
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=5,
        max_overflow=5,
        pool_timeout=_TIMEOUT,
        pool_pre_ping=True,
        connect_args={
            "timeout": _TIMEOUT,
            "command_timeout": _TIMEOUT,
            "server_settings": {"application_name": "headrace"},
        },
    )


async def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema up to `revision`; two processes at once take turns.

    Raises MigrationError when a step fails, which leaves everything as it was, and when the
    schema was made by a later version of this program.
    """
    await _migrate(database, command.upgrade, revision)


async def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to `revision`, or to nothing with `base`. Data in it is lost."""
    await _migrate(database, command.downgrade, revision)


async def is_current(database: Database) -> bool:
    """Whether the schema is the one this program was written for."""
    with _configured() as config:
        head = ScriptDirectory.from_config(config).get_current_head()
    async with database.reading() as connection:
        return await connection.run_sync(_revision) == head


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def _migrate(database: Database, step: Callable[[Config, str], None], revision: str) -> None:
    with _configured() as config:
        async with database.writing() as connection:
            config.attributes["connection"] = connection.sync_connection
            try:
                await connection.run_sync(lambda _: step(config, revision))
                crash.point("migrate.before_commit")
            except (CommandError, SQLAlchemyError) as error:
                reason = getattr(error, "orig", error)
                raise MigrationError(f"the schema of the accounts: {reason}") from error


@contextmanager
def _configured() -> Iterator[Config]:
    with as_file(directory("migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder / "control").replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        yield config


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """Readers beside one writer, commits on disk, foreign keys, and real transactions.

    Python's driver would begin a transaction only at the first write, and never for DDL; so it is
    told to stay out of it. A transaction that writes says so when it begins: one that turns from
    reading to writing fails at once when another has written in between.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
