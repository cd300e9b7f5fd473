"""ORACLE_TARGET: its statements and binds, on a connection that notes them.

With HEADRACE_TEST_ORACLE (`user/password@host:port/service`) a real server is asked as well.
"""

import os
import re
from datetime import UTC, date, datetime, time
from types import SimpleNamespace

import oracledb
import pytest

from service.errors import ConnectorBroken, InvalidInput, TargetUnavailable
from service.pipelines.connectors.oracle_target import (
    bound,
    check_oracle_target,
    open_oracle_target,
    quoted,
    statement_for,
)
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place

KIND = kind_of("ORACLE_TARGET")
REAL = os.environ.get("HEADRACE_TEST_ORACLE", "")
AROUND = Surroundings("t", "p", "s", table="people", allow_private=True, patience=5.0)
SETTINGS = {
    "database": "ORCL", "user": "etl", "password": "not-to-be-told", "host": "127.0.0.1",
    "port": "1521", "server_name": "XE", "server_id": "oraclesrv01",
}  # fmt: skip


class Noting:
    """A connection, its cursor, and what opens it: it notes what it is asked."""

    def __init__(self, bad_rows=(), fails=None) -> None:
        self.told, self.asked, self.committed, self.closed = {}, [], 0, 0
        self._bad_rows, self._fails = bad_rows, fails

    async def connect(self, **told):
        self.told = told
        if isinstance(self._fails, Exception):
            raise self._fails
        return SimpleNamespace(cursor=lambda: self, commit=self.commit, close=self.end)

    async def execute(self, statement):
        self.asked.append((statement, None))

    async def executemany(self, statement, rows, batcherrors):
        assert batcherrors
        self.asked.append((statement, rows))

    def getbatcherrors(self):
        return [SimpleNamespace(offset=n, message=f"ORA-00001: {n}") for n in self._bad_rows]

    async def commit(self):
        self.committed += 1

    async def end(self):
        self.closed += 1

    def close(self):
        """Of the cursor."""


def going(index=0, primary_key=(), **record):
    return Outgoing(Place(1, index), record, primary_key)


async def a_target(server, **settings):
    config = config_of(KIND, {**SETTINGS, **settings})
    return await open_oracle_target(config, AROUND, server.connect)


def test_a_record_with_a_primary_key_is_merged() -> None:
    assert statement_for("people", going(primary_key=["id"], id=1, name="x", Age=3)) == (
        'MERGE INTO "PEOPLE" t USING (SELECT :1 "ID", :2 "NAME", :3 "AGE" FROM DUAL) s '
        'ON (t."ID" = s."ID") '
        'WHEN MATCHED THEN UPDATE SET t."NAME" = s."NAME", t."AGE" = s."AGE" '
        'WHEN NOT MATCHED THEN INSERT ("ID", "NAME", "AGE") VALUES (s."ID", s."NAME", s."AGE")'
    )


def test_a_record_that_is_all_key_changes_nothing_and_one_without_a_key_is_inserted() -> None:
    merged = statement_for("hr.people", going(primary_key=["a", "b"], a=1, b=2))
    assert 'INTO "HR"."PEOPLE"' in merged
    assert 'ON (t."A" = s."A" AND t."B" = s."B") WHEN NOT MATCHED' in merged
    assert statement_for("people", going(a=1)) == 'INSERT INTO "PEOPLE" ("A") VALUES (:1)'


def test_a_name_is_an_identifier_and_nothing_else() -> None:
    assert quoted("first name") == '"first name"'
    assert quoted("x); DROP TABLE y --") == '"x); DROP TABLE y --"'
    for name in ('a"b', "", "a\0b"):
        with pytest.raises(ConnectorBroken):
            quoted(name)


@pytest.mark.parametrize(
    ("value", "given"),
    [(True, 1), (None, None), ({"a": [1]}, '{"a": [1]}'), ([1, "é"], '[1, "é"]'), ("x", "x"),
     (time(3, 4), "03:04:00"), (date(2026, 1, 2), date(2026, 1, 2)), (1.5, 1.5),
     (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))],
)  # fmt: skip
def test_values_are_bound_as_oracle_takes_them(value, given) -> None:
    assert bound(value) == given


async def test_a_batch_is_one_statement_and_one_commit_with_its_bad_rows_refused() -> None:
    target = await a_target(server := Noting(bad_rows=[1]))
    refused = await target.write([going(n, ["id"], id=n, name="x") for n in range(3)])
    assert [(one.place, one.reason) for one in refused] == [(Place(1, 1), "ORA-00001: 1")]
    (_, _), (statement, rows) = server.asked
    assert statement.startswith("MERGE")
    assert rows == [[0, "x"], [1, "x"], [2, "x"]]
    assert server.committed == 1
    await target.close()
    assert server.closed == 1


async def test_it_signs_in_by_the_service_or_else_by_the_sid() -> None:
    await a_target(server := Noting())
    assert (server.told["service_name"], server.told["port"]) == ("XE", 1521)
    await a_target(server := Noting(), server_name="")
    assert server.told["sid"] == "oraclesrv01"
    assert server.asked == [('SELECT 1 FROM "PEOPLE" WHERE 1 = 0', None)]


@pytest.mark.parametrize(
    ("code", "error"),
    [("ORA-01017", ConnectorBroken), ("ORA-00942", ConnectorBroken),
     ("ORA-12541", TargetUnavailable), ("DPY-6005", TargetUnavailable)],
)  # fmt: skip
async def test_what_the_server_says_is_told_without_the_password(code, error) -> None:
    class Told:
        full_code = code

        def __str__(self) -> str:
            return f"{code}: about not-to-be-told"

    failing = Noting(fails=oracledb.DatabaseError(Told()))
    with pytest.raises(error, match=code) as raised:
        await a_target(failing)
    assert "not-to-be-told" not in str(raised.value)


async def test_a_server_that_is_away_or_private_is_told() -> None:
    config = config_of(KIND, {**SETTINGS, "port": "1"})
    with pytest.raises(TargetUnavailable, match="Oracle: "):
        await check_oracle_target(config, AROUND)
    with pytest.raises(InvalidInput, match="private network") as raised:
        await check_oracle_target(config, Surroundings("t"))
    assert raised.value.field == "host"


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"port": "x"}, "port"), ({"server_name": "", "server_id": ""}, "server_name"),
     ({"host": ""}, "host")],
)  # fmt: skip
def test_a_wrong_option_is_named(settings, field) -> None:
    with pytest.raises(InvalidInput) as raised:
        config_of(KIND, {**SETTINGS, **settings})
    assert raised.value.field == f"configuration.{field}"


@pytest.mark.skipif(not REAL, reason="HEADRACE_TEST_ORACLE names no server")
async def test_a_real_server_merges_and_refuses_single_rows() -> None:
    user, password, host, port, service = re.fullmatch(r"(.+?)/(.+)@(.+):(\d+)/(.+)", REAL).groups()
    told = {"user": user, "password": password, "host": host, "port": int(port)}
    async with oracledb.connect_async(**told, service_name=service) as connection:
        await connection.execute(
            "CREATE TABLE headrace_test (id NUMBER PRIMARY KEY, name VARCHAR2(5))"
        )
        try:
            config = config_of(KIND, {**SETTINGS, **told, "server_name": service})
            around = Surroundings("t", table="headrace_test", allow_private=True)
            target = await KIND.open_target(config, around)
            batch = [going(n, ["id"], id=n, name="x" * (n * 3)) for n in range(1, 3)]
            assert [one.place for one in await target.write(batch)] == [Place(1, 1)]
            assert list(await target.write(batch[:1])) == []
            await target.close()
            assert await connection.fetchall("SELECT id FROM headrace_test") == [(1,)]
        finally:
            await connection.execute("DROP TABLE headrace_test")
