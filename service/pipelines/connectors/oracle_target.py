"""ORACLE_TARGET: records into the table that the subscription names, by MERGE.

Delivery: effectively once for records with a primary key: one that comes again changes the row that
it made. Records without a primary key are inserted, and may be there twice after a lost answer. A
row that Oracle refuses keeps no other one out: `executemany` tells the errors of each row.

A batch is one statement and one commit. Records of one primary key keep their order. The table has
to be there; its columns are the keys of the records, in capitals unless they are written otherwise.
An Oracle listener may send its clients to another host; unlike the first host, that one is not
judged, because the driver follows it by itself.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import oracledb

from service.errors import ConnectorBroken, TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.connectors.said import said
from service.pipelines.model import Outgoing, Place, Refused
from service.reach.addresses import Reach

_AWAY = frozenset({
    "DPY-4011", "DPY-4024", "DPY-6000", "DPY-6005", "ORA-00018", "ORA-00020", "ORA-00028",
    "ORA-01033", "ORA-01034", "ORA-01089", "ORA-03113", "ORA-03114", "ORA-03135", "ORA-12514",
    "ORA-12516", "ORA-12519", "ORA-12520", "ORA-12528", "ORA-12537", "ORA-12541", "ORA-12547",
})  # fmt: skip
"""What may be over in a while: no connection, no free session, a database that starts or stops."""

_LOOK = "SELECT 1 FROM TABLE WHERE 1 = 0"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_$#]{0,127}")

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class OracleTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which database; the table is what the subscription names, perhaps with its schema."""

    database: _Text
    """Its name, for people: the service is what is connected to."""
    user: _Text
    password: _Text
    host: _Text
    port: str | int
    server_name: str
    """The service (`XEPDB1`). Empty: connect by `server_id`."""
    server_id: str
    """The SID, used where no service is named."""

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field."""
        if not str(self.port).isdecimal() or not 1 <= int(self.port) <= 65535:
            raise ValueError("a port is 1 to 65535 - at `$.port`")
        if not self.server_name and not self.server_id:
            raise ValueError("a service or a SID is needed - at `$.server_name`")


Connect = Callable[..., Awaitable[Any]]
"""As `oracledb.connect_async`."""


async def open_oracle_target(
    config: OracleTarget,
    surroundings: Surroundings,
    connect: Connect = oracledb.connect_async,
) -> Target:
    """Raises InvalidInput, ConnectorBroken or TargetUnavailable."""
    if not surroundings.table:
        raise ConnectorBroken("the subscription names no table of the target")
    target = _OracleTarget(config, surroundings, connect)
    await target.ping()
    return target


async def check_oracle_target(
    config: OracleTarget,
    surroundings: Surroundings,
    connect: Connect = oracledb.connect_async,
) -> None:
    """Signs in, and looks for the table where one is named. Raises as opening does."""
    target = _OracleTarget(config, surroundings, connect)
    try:
        await target.ping()
    finally:
        await target.close()


class _OracleTarget:
    def __init__(self, config: OracleTarget, surroundings: Surroundings, connect: Connect) -> None:
        self._config = config
        self._patience = surroundings.patience
        self._reach = Reach(surroundings.allow_private)
        self._table = surroundings.table
        self._open = connect
        self._connection: Any = None

    async def written(self) -> Place | None:
        return None  # primary keys tell repeats apart

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        if not batch:
            return []
        statement = statement_for(self._table, batch[0])
        names = list(batch[0].record)
        rows = [[bound(one.record[name]) for name in names] for one in batch]
        errors = await self._ask(lambda connection: _run(connection, statement, rows))
        return [Refused(batch[index].place, self._told(told)) for index, told in errors]

    async def ping(self) -> None:
        statement = _LOOK.replace("TABLE", quoted(self._table) if self._table else "DUAL")
        await self._ask(lambda connection: _run_one(connection, statement))

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(oracledb.Error, OSError, TimeoutError):
                async with asyncio.timeout(self._patience):
                    await connection.close()

    async def _ask(self, asked: Callable[[Any], Awaitable[Any]]) -> Any:
        """What the server answers; the connection is given up when anything goes wrong."""
        try:
            async with asyncio.timeout(self._patience):
                if self._connection is None:
                    self._connection = await self._connect()
                return await asked(self._connection)
        except oracledb.Error as error:
            await self.close()
            raise self._ours(error) from error
        except (OSError, TimeoutError) as error:
            await self.close()
            raise TargetUnavailable(f"Oracle: {self._told(error)}") from error
        except BaseException:
            await self.close()
            raise

    def _ours(self, error: oracledb.Error) -> Exception:
        code = getattr(error.args[0], "full_code", "") if error.args else ""
        away = code in _AWAY or isinstance(error, oracledb.InterfaceError)
        kind = TargetUnavailable if away else ConnectorBroken
        return kind(f"Oracle: {self._told(error)}")

    def _told(self, error: object) -> str:
        return said(Exception(str(error) or type(error).__name__), [self._config.password])

    async def _connect(self) -> Any:
        config, port = self._config, int(self._config.port)
        address = await self._reach.address(config.host, port, "host")
        named = {"service_name": config.server_name} if config.server_name else {}
        connection = await self._open(
            user=config.user,
            password=config.password,
            host=address,
            port=port,
            tcp_connect_timeout=self._patience,
            **(named or {"sid": config.server_id}),
        )
        connection.call_timeout = int(self._patience * 1000)
        return connection


async def _run(
    connection: Any, statement: str, rows: Sequence[Sequence[Any]]
) -> Sequence[tuple[int, str]]:
    """The rows that were refused, with what Oracle said of each; the others are committed."""
    cursor = connection.cursor()
    try:
        await cursor.executemany(statement, rows, batcherrors=True)
        errors = [(error.offset, error.message) for error in cursor.getbatcherrors()]
        await connection.commit()
    finally:
        cursor.close()
    return errors


async def _run_one(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        await cursor.execute(statement)
    finally:
        cursor.close()


def statement_for(table: str, example: Outgoing) -> str:
    """MERGE by primary key, or INSERT without one; a bind for each key of the record, in order."""
    names = list(example.record)
    columns = {name: quoted(name) for name in names}
    listed = ", ".join(columns.values())
    binds = [f":{number}" for number in range(1, len(names) + 1)]
    if not example.primary_key:
        return " ".join(["INSERT INTO", quoted(table), f"({listed}) VALUES ({', '.join(binds)})"])
    given = ", ".join(f"{bind} {columns[name]}" for bind, name in zip(binds, names, strict=True))
    keys = [columns[name] for name in example.primary_key]
    others = [columns[name] for name in names if name not in example.primary_key]
    same = " AND ".join(f"t.{column} = s.{column}" for column in keys)
    changed = ", ".join(f"t.{column} = s.{column}" for column in others)
    values = ", ".join(f"s.{column}" for column in columns.values())
    parts = ["MERGE INTO", quoted(table), "t USING (SELECT", given, "FROM DUAL) s", f"ON ({same})"]
    if others:
        parts += ["WHEN MATCHED THEN UPDATE SET", changed]
    parts += ["WHEN NOT MATCHED THEN INSERT", f"({listed}) VALUES ({values})"]
    return " ".join(parts)


def quoted(name: str) -> str:
    """As an identifier: in capitals where the name is an ordinary one, else as it stands.

    Raises ConnectorBroken for a name that Oracle has no way to write.
    """
    if not name or '"' in name or "\0" in name:
        raise ConnectorBroken(f"{name!r} cannot be the name of anything in Oracle")
    parts = name.split(".") if all(map(_PLAIN.fullmatch, name.split("."))) else [name]
    plain = [part.upper() if _PLAIN.fullmatch(part) else part for part in parts]
    return ".".join(f'"{part}"' for part in plain)


def bound(value: Any) -> Any:
    """A value as Oracle takes it: objects and lists as JSON, true and false as 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if hasattr(value, "tzinfo") and not hasattr(value, "date"):
        return value.isoformat()  # a time of day, for which Oracle has no type
    return value
