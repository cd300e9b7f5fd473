"""POSTGRES_TARGET: records into the table that the subscription names.

Delivery: effectively once. With `place_table` the target notes, in the transaction that writes a
batch, how far it is: what comes again after a lost answer is left out, and a worker that was
thought dead cannot write over what came later. Without it a record that comes again replaces the
row of its primary key; one without a primary key may be there twice.

A row is inserted, or replaces the one with its primary key, for which the table needs a unique
index. Values become what their columns are, as PostgreSQL reads JSON. Nothing is created but the
table of places, and that only where it is asked for.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import asyncpg
import msgspec

from service.errors import ConnectorBroken, TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.connectors.said import said
from service.pipelines.model import Outgoing, Place, Refused
from service.reach.addresses import Reach
from service.reach.names import named_context

_BAD_ROW = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What one record may be to blame for."""
_WRONG = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.SyntaxOrAccessError,
    ssl.SSLCertVerificationError,
)
"""What no second try will change."""
_BEFORE_ALL = "0.0.0"

_MAKE = "CREATE TABLE IF NOT EXISTS PLACES (subscription text PRIMARY KEY, place text NOT NULL)"
_BEGIN = "INSERT INTO PLACES VALUES ($1, $2) ON CONFLICT (subscription) DO NOTHING"
_READ = "SELECT place FROM PLACES WHERE subscription = $1"
_LOCK = "SELECT place FROM PLACES WHERE subscription = $1 FOR UPDATE"
_NOTE = "UPDATE PLACES SET place = $2 WHERE subscription = $1"
_IS_MISSING = "SELECT to_regclass($1) IS NULL"
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1"

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]


class PostgresTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which database; the table is what the subscription names."""

    host: Annotated[str, msgspec.Meta(min_length=1)]
    database: _Name
    user: _Name
    password: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | str = 5432
    schema: _Name = "public"
    sslmode: Literal["disable", "prefer", "require", "verify-full"] = "prefer"
    """As in libpq."""
    ca_cert: str | None = None
    """Certificates (PEM) of who signs for the server; the system's where there are none."""
    place_table: Annotated[str, msgspec.Meta(max_length=63)] = ""
    """Where the target notes how far it is: `(subscription text primary key, place text not null)`.
    Empty: nowhere."""
    create_place_table: bool = False
    """Make it when it is not there."""

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field."""
        if not str(self.port).isdecimal() or not 1 <= int(self.port) <= 65535:
            raise ValueError("a port is 1 to 65535 - at `$.port`")


async def open_postgres_target(config: PostgresTarget, surroundings: Surroundings) -> Target:
    """Raises InvalidInput, ConnectorBroken or TargetUnavailable."""
    if not surroundings.table:
        raise ConnectorBroken("the subscription names no table of the target")
    target = _PostgresTarget(config, surroundings)
    try:
        await target.prepare()
    except BaseException:
        await target.close()
        raise
    return target


async def check_postgres_target(config: PostgresTarget, surroundings: Surroundings) -> None:
    """Signs in, and looks for the table where one is named. Raises as opening does."""
    target = _PostgresTarget(config, surroundings)
    try:
        await target.ping()
    finally:
        await target.close()


async def postgres_tables(config: PostgresTarget, surroundings: Surroundings) -> Sequence[str]:
    """The tables of the schema. Raises as opening does."""
    target = _PostgresTarget(config, surroundings)
    try:
        return await target.tables()
    finally:
        await target.close()


class _PostgresTarget:
    def __init__(self, config: PostgresTarget, surroundings: Surroundings) -> None:
        self._config = config
        self._patience = surroundings.patience
        self._reach = Reach(surroundings.allow_private)
        self._mine = surroundings.places_of
        self._table = surroundings.table
        self._places = _quoted(config.schema, config.place_table) if config.place_table else ""
        self._connection: asyncpg.Connection | None = None

    async def prepare(self) -> None:
        """See that what is needed is there."""
        await self.ping()
        if not self._places:
            return
        async with self._asking() as connection:
            if self._config.create_place_table:
                await connection.execute(self._on_places(_MAKE))
            await connection.execute(self._on_places(_BEGIN), self._mine, _BEFORE_ALL)

    async def written(self) -> Place | None:
        if not self._places:
            return None
        async with self._asking() as connection:
            place = await self._place(connection, _READ)
        return None if place == Place.read(_BEFORE_ALL) else place

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        if not batch:
            return []
        async with self._asking() as connection, connection.transaction():
            if self._places:
                place = await self._place(connection, _LOCK)
                batch = [one for one in batch if one.place > place]
            refused = await self._insert(connection, batch) if batch else []
            if self._places and batch:
                last = batch[-1].place.text
                await connection.execute(self._on_places(_NOTE), self._mine, last)
        return refused

    async def ping(self) -> None:
        async with self._asking() as connection:
            table = _quoted(self._config.schema, self._table)
            if self._table and await connection.fetchval(_IS_MISSING, table):
                name = f"{self._config.schema}.{self._table}"
                raise ConnectorBroken(f"there is no table {name} in {self._config.database}")

    async def tables(self) -> Sequence[str]:
        async with self._asking() as connection:
            rows = await connection.fetch(_TABLES, self._config.schema)
        return [row[0] for row in rows]

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _place(self, connection: asyncpg.Connection, statement: str) -> Place:
        found = await connection.fetchval(self._on_places(statement), self._mine)
        if found is None:
            raise TargetUnavailable(f"the row of this subscription in {self._places} is gone")
        return Place.read(found)

    def _on_places(self, statement: str) -> str:
        return statement.replace("PLACES", self._places)

    async def _insert(
        self, connection: asyncpg.Connection, batch: Sequence[Outgoing]
    ) -> list[Refused]:
        """All of them, or else each half: what is left over at the end is refused."""
        statement = _upsert(self._config.schema, self._table, batch[0])
        try:
            async with connection.transaction():
                await connection.execute(statement, _rows(batch))
        except _BAD_ROW as error:
            if len(batch) == 1:
                return [Refused(batch[0].place, said(error, [self._config.password]))]
        else:
            return []
        half = len(batch) // 2
        first = await self._insert(connection, batch[:half])
        return first + await self._insert(connection, batch[half:])

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection, given up when anything goes wrong; errors in our own words."""
        try:
            async with asyncio.timeout(self._patience):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                yield self._connection
        except _WRONG as error:
            await self.close()
            raise ConnectorBroken(self._told(error)) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            await self.close()
            raise TargetUnavailable(self._told(error)) from error
        except BaseException:
            await self.close()
            raise

    def _told(self, error: Exception) -> str:
        return f"PostgreSQL: {said(error, [self._config.password])}"

    async def _connect(self) -> asyncpg.Connection:
        config, port = self._config, int(self._config.port)
        address = await self._reach.address(config.host, port, "host")
        limit = str(int(self._patience * 1000))
        return await asyncpg.connect(
            host=address,
            port=port,
            user=config.user,
            password=config.password,
            database=config.database,
            ssl=self._tls(address),
            timeout=self._patience,
            server_settings={
                "application_name": "headrace",
                # What hangs on this side must not hold locks on the other one.
                "idle_in_transaction_session_timeout": limit,
                "statement_timeout": limit,
            },
        )

    def _tls(self, address: str) -> str | bool | ssl.SSLContext:
        mode = self._config.sslmode
        if mode != "verify-full":
            return False if mode == "disable" else mode
        context = named_context(self._config.ca_cert or "")
        context.names[address] = self._config.host
        return context


def _rows(batch: Sequence[Outgoing]) -> str:
    """As JSON; of several with one primary key the last."""
    last: dict[Any, Mapping[str, Any]] = {}
    for one in batch:
        key = msgspec.json.encode([one.record[name] for name in one.primary_key])
        last[key if one.primary_key else one.place] = one.record
    return msgspec.json.encode(list(last.values())).decode()


def _upsert(schema: str, table: str, example: Outgoing) -> str:
    """The statement for records like this one; its parameter is a JSON list of them."""
    name, columns = _quoted(schema, table), ", ".join(_quoted(key) for key in example.record)
    rows = f"json_populate_recordset(NULL::{name}, $1::text::json)"
    parts = ["INSERT INTO", name, f"({columns})", "SELECT", columns, "FROM", rows]
    if keys := ", ".join(_quoted(key) for key in example.primary_key):
        others = [_quoted(key) for key in example.record if key not in example.primary_key]
        update = ", ".join(f"{column} = EXCLUDED.{column}" for column in others)
        parts += ["ON CONFLICT", f"({keys})", f"DO UPDATE SET {update}" if others else "DO NOTHING"]
    return " ".join(parts)


def _quoted(*names: str) -> str:
    """As identifiers, with dots between."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
