"""The rules of the house that a machine can check. Each line says what it keeps us from."""

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache

import pytest

from tests.house.tables import ROOT

MODULES = sorted((ROOT / "service").rglob("*.py"))
TRACKED = subprocess.run(
    ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True
).stdout.split("\0")
TEXTS = {".py", ".md", ".toml", ".txt", ".sql", ".yaml", ".yml", ".sh", ".html", ""}


@cache
def trees() -> Mapping[str, ast.Module]:
    """What the service is made of, file by file; only who runs these tests has to parse it."""
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in MODULES}


def imported(tree: ast.AST) -> set[str]:
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    plain = (node.names for node in ast.walk(tree) if isinstance(node, ast.Import))
    return names | {alias.name for names_ in plain for alias in names_}


def packages(tree: ast.AST) -> set[str]:
    return {name.split(".")[0] for name in imported(tree)}


def who_names(attribute: str) -> set[str]:
    """The files that use `os.environ`, `TYPE_CHECKING`…, as a name or an attribute."""
    return {
        path
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr == attribute)
        or (isinstance(node, ast.Name) and node.id == attribute)
    }


def test_the_environment_is_read_in_one_place():
    assert who_names("environ") | who_names("getenv") <= {
        "service/cli/program.py",
        "service/settings/environment.py",
    }
    assert (ROOT / "service/cli/program.py").read_text("utf-8").count("os.environ") == 1


def test_no_import_hides_from_the_import_rule():
    assert who_names("TYPE_CHECKING") == set()


@pytest.mark.parametrize(
    ("driver", "homes"),
    [
        ("duckdb", {"service/storage/duckdb.py"}),
        ("nats", {"service/stream/", "service/pipelines/connectors/nats_"}),
        (
            "sqlalchemy",
            {
                "service/database.py",
                "service/accounts/",
                "service/pipelines/control/",
                "service/pipelines/catalogue.py",
            },
        ),
        ("litestar", {"service/app.py", "service/api/", "service/dashboard/"}),
        ("uvicorn", {"service/server.py", "service/api/wire.py", "service/api/wire_socket.py"}),
        ("websockets", {"service/api/wire_socket.py"}),
        ("redis", {"service/shared/line.py", "service/shared/limits.py"}),
        ("asyncpg", {"service/database.py", "service/pipelines/connectors/postgres_target.py"}),
        ("oracledb", {"service/pipelines/connectors/oracle_target.py"}),
        ("aiokafka", {"service/pipelines/connectors/kafka_"}),
    ],
)
def test_a_driver_is_named_only_where_it_lives(driver, homes):
    users = {path for path, tree in trees().items() if driver in packages(tree)}
    assert users
    assert {path for path in users if not path.startswith(tuple(homes))} == set()


def test_accounts_never_hear_of_http():
    accounts = [tree for path, tree in trees().items() if path.startswith("service/accounts/")]
    assert accounts
    assert not {"litestar", "http", "httpx2", "uvicorn"} & set().union(*map(packages, accounts))


def test_no_file_is_named_for_a_pattern():
    vague = {"utils", "common", "core", "base", "helpers", "services", "schemas", "models", "misc"}
    assert [path for path in trees() if vague & set(re.split(r"[/.]", path))] == []


def test_importing_everything_opens_nothing():
    modules = [re.sub(r"(/__init__)?\.py$", "", path).replace("/", ".") for path in trees()]
    code = f"import importlib, threading, os\nfor m in {modules!r}: importlib.import_module(m)\n"
    code += "print(threading.active_count(), len(os.listdir('/proc/self/fd')))"
    bare = "import threading, os; print(threading.active_count(), len(os.listdir('/proc/self/fd')))"
    assert _output(code) == _output(bare)


def _output(code: str) -> str:
    run = [sys.executable, "-c", code]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("path", sorted((ROOT / "queries").glob("*.sql")), ids=lambda p: p.name)
def test_every_query_says_in_its_first_line_what_it_answers(path):
    assert re.match(r"-- \S.{10,}\n", path.read_text("utf-8"))


def test_a_sibling_for_one_engine_stands_in_for_no_other_text():
    for path in (ROOT / "queries").glob("*.*.sql"):
        assert path.suffixes[-2] in {".duckdb", ".clickhouse"}, path.name


def test_no_tracked_file_knows_the_path_of_one_machine():
    path = re.compile(r"(?:^|[\s\"'`(=])/(?:home|root|tmp|work|Users)/\w")
    assert [name for name in _texts() if path.search((ROOT / name).read_text("utf-8"))] == []


def test_no_pinned_version_knows_where_it_was_downloaded():
    pins = (ROOT / "constraints.txt").read_text("utf-8")
    assert not re.search(r"://|--index|--find-links|@ ", pins)
    assert all(re.match(r"[a-z0-9-]+==\S+( ; .+)?$", line) for line in pins.splitlines())


def _texts() -> list[str]:
    paths = [ROOT / name for name in TRACKED if name and "static" not in name]
    return [str(p.relative_to(ROOT)) for p in paths if p.is_file() and p.suffix in TEXTS]
