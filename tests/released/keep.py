"""`python -m tests.released.keep DATA_DIR VERSION`: a data directory as text, kept for ever.

Run it with a small data directory that a release has just made: every later version must be able to
migrate what the text makes (`tests/queries/test_released.py`).
"""

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

FOLDER = Path(__file__).parent


def keep(data_dir: Path, version: str) -> None:
    """Write the event store and the accounts of a data directory down as SQL."""
    folder = FOLDER / version
    folder.mkdir()
    with duckdb.connect(data_dir / "events.duckdb", read_only=True) as events:
        (folder / "events.duckdb.sql").write_text("\n".join(_statements(events)) + "\n")
    with sqlite3.connect(data_dir / "control.sqlite") as accounts:
        (folder / "accounts.sqlite.sql").write_text("\n".join(accounts.iterdump()) + "\n")


def _statements(events: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for name, parameters, text in events.execute(_MACROS).fetchall():
        yield f"CREATE MACRO {name}({', '.join(parameters)}) AS {text};"
    for name, text in events.execute(_TABLES).fetchall():
        yield text
        columns = ", ".join(c for (c,) in events.execute(_COLUMNS, [name]).fetchall())
        for row in events.execute(f"SELECT {columns} FROM {name} ORDER BY ALL").fetchall():
            yield f"INSERT INTO {name} VALUES ({', '.join(map(_literal, row))});"


def _literal(value: object) -> str:
    if isinstance(value, dict):
        return f"MAP {{{', '.join(f'{_literal(k)}: {v!r}' for k, v in value.items())}}}"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("'", "''")
    return f"'{text}'"


_MACROS = """
SELECT function_name, parameters, macro_definition FROM duckdb_functions()
WHERE NOT internal AND function_type = 'macro' ORDER BY function_oid
"""
_TABLES = "SELECT table_name, sql FROM duckdb_tables() ORDER BY table_name"
_COLUMNS = "SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index"


if __name__ == "__main__":
    keep(Path(sys.argv[1]), sys.argv[2])
