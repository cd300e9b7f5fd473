"""The cluster form of the schema: every statement is one that the engine can read."""

import re

import pytest

from service.errors import MigrationError
from service.migrate import migrate, migrations, pending
from service.storage.cluster import clustered, everywhere, on_all_shards
from service.storage.protocol import Statement
from service.storage.statements import statement
from tests.stores import open_chdb

ALTERED = "ALTER TABLE events ADD COLUMN IF NOT EXISTS browser String CODEC(ZSTD(1)) AFTER source"
SETTINGS_ALTERED = "ALTER TABLE events MODIFY SETTING merge_with_ttl_timeout = 3600"


def steps(cluster: str = "prod") -> list[str]:
    return [step for m in migrations("clickhouse", cluster) for step in m.steps]


DELETING = ("expire_events", "expire_sessions_by_quarter", "free_expired")


@pytest.fixture(scope="module")
def written() -> list[str]:
    """Everything that is carried out on a cluster."""
    table, _ = statement("migrations_table", "clickhouse")
    altered = [*clustered(ALTERED, "prod"), *clustered(SETTINGS_ALTERED, "prod")]
    texts = [statement(name, "clickhouse")[0] for name in DELETING]
    deleting = [on_all_shards(text, "prod") for text in texts]
    return [*steps(), everywhere(table, "prod"), *altered, *deleting]


async def test_the_engine_can_read_every_statement(written, tmp_path):
    async with open_chdb(tmp_path) as store:
        for text in written:
            await store.define(f"EXPLAIN AST {_with_values(text)}")


def _with_values(text: str) -> str:
    return re.sub(r"\{\w+:Int64\}", "1", re.sub(r"\{\w+:Array\(String\)\}", "['a']", text))


def test_every_statement_is_for_the_whole_cluster_and_may_be_repeated(written):
    assert [text for text in written if "ON CLUSTER 'prod'" not in text] == []
    made = [text for text in written if "CREATE" in text]
    assert [text for text in made if "IF NOT EXISTS" not in text] == []


def test_every_table_is_replicated_and_has_a_face_that_spreads_tenants_over_the_shards():
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "\n".join(steps("")))
    text = "\n".join(steps())
    for table in tables:
        assert re.search(rf"NOT EXISTS {table}_local ON CLUSTER 'prod' \([^;]*= Replicated", text)
        assert f"Distributed('prod', currentDatabase(), {table}_local, cityHash64(tenant))" in text
    assert not re.search(r"ENGINE = (Summing|Replacing)?MergeTree", text)


def test_views_read_and_write_the_tables_of_their_own_server():
    views = [text for text in steps() if "MATERIALIZED VIEW" in text]
    assert views
    for view in views:
        assert re.findall(r"FROM (\w+)", view) == ["events_local"]
        assert re.search(r"TO \w+_local AS", view)


def test_replicas_remember_as_many_inserts_as_one_server_does():
    windows = [
        re.findall(r"deduplication_window = (\d+)", "\n".join(s)) for s in (steps(""), steps())
    ]
    assert windows[0] == windows[1] != []
    assert "non_replicated" not in "\n".join(steps())


def test_a_new_column_is_added_to_both_tables_and_a_setting_to_the_replicated_one():
    local, face = clustered(ALTERED, "prod")
    assert local.startswith("ALTER TABLE events_local ON CLUSTER 'prod' ADD COLUMN")
    assert (
        face
        == "ALTER TABLE events ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS browser String"
        + (" AFTER source")
    )
    assert len(clustered(SETTINGS_ALTERED, "prod")) == 1


def test_what_expires_is_deleted_on_every_shard_and_an_insert_is_spread_as_it_is():
    texts = [on_all_shards(statement(name, "clickhouse")[0], "prod") for name in DELETING]
    assert "DELETE FROM events_local ON CLUSTER 'prod'\nWHERE" in texts[0]
    assert "DELETE FROM sessions_by_quarter_local ON CLUSTER 'prod'\nWHERE" in texts[1]
    assert "ALTER TABLE events_local ON CLUSTER 'prod' APPLY" in texts[2]
    note, _ = statement("migrations_note", "clickhouse")
    assert on_all_shards(note, "prod") == note


@pytest.mark.parametrize("name", ["it's", "a b", "", "x;y"])
def test_what_cannot_be_the_name_of_a_cluster_is_refused(name):
    with pytest.raises(MigrationError, match="cannot be the name"):
        clustered(ALTERED, name)


def test_a_statement_without_a_cluster_form_is_refused():
    with pytest.raises(MigrationError, match="no cluster form"):
        clustered("INSERT INTO events SELECT 1", "prod")


async def test_a_store_made_for_one_server_is_not_taken_for_a_cluster(tmp_path):
    async with open_chdb(tmp_path) as store:
        await migrate(store)
        [notes] = await store.fetch(Statement("migrations_done", {}))
        [first, *_] = notes.to_pylist()
        note = {"name": first["name"], "step": 99, "checksum": f"cluster:{first['checksum']}"}
        await store.define("TRUNCATE TABLE migrations", Statement("migrations_note", note))
        with pytest.raises(MigrationError, match="made for a cluster"):
            await pending(store)
