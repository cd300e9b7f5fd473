"""The cluster form of definitions that are written for one server.

A table becomes two: `<name>_local`, replicated inside each shard, and `<name>`, which spreads what
is inserted over the shards and gathers what is asked. All rows of a tenant live on one shard, so
that joins and distinct counts of a tenant never cross shards. Views work on the local tables.
"""

import re
from collections.abc import Callable

from service.errors import MigrationError

SHARDING_KEY = "cityHash64(tenant)"
_REPLICA = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"
_EVERYWHERE = "'/clickhouse/tables/{uuid}/everywhere', '{shard}-{replica}'"

_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
_VIEW = re.compile(r"CREATE VIEW IF NOT EXISTS (\w+)")
_KEPT_VIEW = re.compile(r"CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+)")
_SOURCE = re.compile(r"\nFROM (\w+)")
_ALTERED = re.compile(r"ALTER TABLE (\w+)")
_DELETED = re.compile(r"DELETE FROM (\w+)")
_COLUMN = re.compile(r"(?:ADD|DROP|RENAME|MODIFY) COLUMN")
_ENGINE = re.compile(r"ENGINE = (\w*MergeTree)(?:\(([^)]*)\))?")
_WINDOW = re.compile(r"non_replicated_deduplication_window = (\d+)")
_WINDOW_SECONDS = 604_800
"""How long a replica remembers the tokens of inserts: a week."""


def clustered(definition: str, cluster: str) -> list[str]:
    """What a definition for one server becomes on the cluster of this name.

    Raises MigrationError for a kind of statement that has no cluster form.
    """
    for kind, form in _FORMS.items():
        if kind.search(definition):
            return form(definition, f"ON CLUSTER '{checked(cluster)}'")
    raise MigrationError(f"no cluster form is known for: {definition[:100]}")


def on_all_shards(maintenance: str, cluster: str) -> str:
    """A deletion, or what comes after it, as every shard carries it out; an insert as it is."""
    on = f"ON CLUSTER '{checked(cluster)}'"
    return _ALTERED.sub(rf"\g<0>_local {on}", _DELETED.sub(rf"\g<0>_local {on}", maintenance))


def everywhere(definition: str, cluster: str) -> str:
    """A table that every server has whole: what is inserted on one is replicated to all."""
    on = f"ON CLUSTER '{checked(cluster)}'"
    return _replicated(_TABLE.sub(rf"\g<0> {on}", definition), _EVERYWHERE)


def checked(cluster: str) -> str:
    """The name of a cluster, if it is one that may stand in a statement."""
    if not re.fullmatch(r"[\w.{}-]+", cluster):
        raise MigrationError(f"this cannot be the name of a cluster: {cluster}")
    return cluster


def _table(definition: str, on: str) -> list[str]:
    name = _name(_TABLE, definition)
    local = _TABLE.sub(f"CREATE TABLE IF NOT EXISTS {name}_local {on}", definition)
    cluster = on.removeprefix("ON CLUSTER ")
    return [
        _replicated(local, _REPLICA),
        f"CREATE TABLE IF NOT EXISTS {name} {on} AS {name}_local\n"
        f"ENGINE = Distributed({cluster}, currentDatabase(), {name}_local, {SHARDING_KEY})",
    ]


def _view(definition: str, on: str) -> list[str]:
    return [_VIEW.sub(rf"\g<0> {on}", definition)]


def _kept_view(definition: str, on: str) -> list[str]:
    local = r"CREATE MATERIALIZED VIEW IF NOT EXISTS \1 {} TO \2_local"
    return [_SOURCE.sub(r"\nFROM \1_local", _KEPT_VIEW.sub(local.format(on), definition))]


def _altered(definition: str, on: str) -> list[str]:
    local = _ALTERED.sub(rf"ALTER TABLE \1_local {on}", definition)
    if not _COLUMN.search(definition):
        return [local]
    plain = re.sub(r" CODEC\((?:[^()]|\([^()]*\))*\)", "", definition)
    return [local, _ALTERED.sub(rf"ALTER TABLE \1 {on}", plain)]


def _replicated(definition: str, replica: str) -> str:
    def engine(match: re.Match[str]) -> str:
        more = f", {match[2]}" if match[2] else ""
        return f"ENGINE = Replicated{match[1]}({replica}{more})"

    window = (
        r"replicated_deduplication_window = \1,"
        f"\n    replicated_deduplication_window_seconds = {_WINDOW_SECONDS}"
    )
    return _WINDOW.sub(window, _ENGINE.sub(engine, definition))


def _name(pattern: re.Pattern[str], definition: str) -> str:
    found = pattern.search(definition)
    return found[1] if found else ""


_FORMS: dict[re.Pattern[str], Callable[[str, str], list[str]]] = {
    _KEPT_VIEW: _kept_view,
    _VIEW: _view,
    _TABLE: _table,
    _ALTERED: _altered,
}
