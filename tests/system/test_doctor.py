"""`headrace doctor` on services that run, that do not, and that stand on broken ground."""

import asyncio
import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import pytest

from service.doctor.broker import examine_stream
from service.settings import Settings
from service.stream.jetstream import open_jetstream
from tests.chdb_server import url_of as url_of_clickhouse
from tests.running import RunningService, free_port
from tests.servers import Server, a_clickhouse, a_valkey, url_of_valkey
from tests.system.test_up import an_event


def examined(service: RunningService, *options: str, **environment: str) -> dict[str, str]:
    """The state of each thing that was looked at, by `part: about`."""
    done = service.headrace("doctor", "--json", *options, **environment)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(remark["advice"] for remark in found if remark["state"] != "right")
    states = {f"{remark['part']}: {remark['about']}": remark["state"] for remark in found}
    assert done.returncode == ("wrong" in states.values()), done.stderr
    return states


def test_everything_is_right_with_a_service_that_runs(running_service):
    running_service.post("/api/v1/events", an_event("seen-by-the-doctor"))
    found = examined(running_service)
    assert set(found.values()) == {"right"}
    assert {"writer: lag", "stream: sync", "stream: clock", "event store: schema"} <= set(found)


def test_what_is_to_be_done_is_told_in_words(running_service):
    told = running_service.headrace("doctor", HEADRACE_CORS_ORIGINS="*")
    assert told.returncode == 0
    assert "? settings, HEADRACE_CORS_ORIGINS: name the origins" in told.stdout
    assert "1 doubtful, 0 wrong" in told.stdout


def test_a_service_that_does_not_run_is_told_and_nothing_is_made(new_service):
    service = new_service()
    found = examined(service)
    assert (found["service: runs"], found["data directory: folder"]) == ("wrong", "wrong")
    assert not service.data_dir.exists()


def test_a_store_that_was_never_migrated_is_told_beside_the_ended_service(new_service):
    service = new_service().start()
    assert service.stop() == 0
    assert examined(service)["event store: schema"] == "right"
    with closing(duckdb.connect(str(service.data_dir / "events.duckdb"))) as file:
        file.execute("DELETE FROM migrations WHERE name = (SELECT max(name) FROM migrations)")
    found = examined(service)
    assert (found["service: runs"], found["event store: schema"]) == ("wrong", "wrong")


@contextmanager
def a_monitored_broker(folder: Path, options: str) -> Iterator[tuple[str, str]]:
    """A NATS server with a monitoring port: the URLs of both."""
    port, monitoring = free_port(), free_port()
    configuration = folder / "nats.conf"
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\nhttp: "127.0.0.1:{monitoring}"\nmax_payload: 33554432\n'
        f'jetstream {{ store_dir: "{folder}"\n{options} }}\n'
    )
    binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = Server([str(binary), "--config", configuration], port, **quiet)
    try:
        server.start()
        yield f"nats://127.0.0.1:{port}", f"http://127.0.0.1:{monitoring}"
    finally:
        server.end()


@pytest.mark.parametrize(("options", "state"), [("", "wrong"), ("sync_interval: always", "right")])
async def test_how_a_broker_elsewhere_syncs_is_asked_of_its_monitoring_port(
    tmp_path, options, state
):
    with a_monitored_broker(tmp_path, options) as (url, monitoring):
        stream = await open_jetstream(url, 1_000_000, 3600)
        await stream.close()
        settings = Settings(nats_url=url, data_dir=tmp_path)
        for asked, expected in (("", "doubtful"), (monitoring, state)):
            remarks, _ = await examine_stream(settings, asked)
            assert [r.state for r in remarks if r.about == "sync"] == [expected]


def test_parts_elsewhere_are_reached_with_the_urls_that_are_set(new_service, postgres):
    with a_clickhouse() as clickhouse, a_valkey() as valkey:
        service = new_service(
            CLICKHOUSE_URL=url_of_clickhouse(clickhouse.port),
            POSTGRES_URL=asyncio.run(postgres.new_database()),
            REDIS_URL=url_of_valkey(valkey),
        ).start()
        found = examined(service)
        reached = ["event store: server", "event store: clock", "accounts: clock"]
        assert {found[name] for name in [*reached, "cache: reached"]} == {"right"}
        valkey.end()
        assert examined(service)["cache: reached"] == "doubtful"
        clickhouse.end()
        assert examined(service)["event store: reached"] == "wrong"
