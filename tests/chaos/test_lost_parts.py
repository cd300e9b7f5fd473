"""A part is lost whole: the event store is rebuilt from the stream, a lost stream leaves the store.

What docs/operations.md tells an operator of a cluster to do, as far as it can be done here.
"""

import shutil

import pytest

from tests.chaos.clients import Ledger, deliver_all, make_batches
from tests.chaos.judge import wait_until_counted

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def service(new_service, tmp_path):
    return new_service(CLICKHOUSE_URL=f"chdb://{tmp_path / 'clickhouse'}").start()


def counted(service) -> int:
    stats = service.get("/api/v1/events/stats")
    assert stats.status_code == 200, stats.text
    return stats.json()["data"]["totalIngested"]


def test_a_lost_event_store_is_rebuilt_from_the_stream(service, dice, tmp_path):
    ledger = Ledger()
    deliver_all(service, ledger, make_batches(dice, "before", 10))
    wait_until_counted(service, len(ledger.acknowledged))
    assert service.stop() == 0
    shutil.rmtree(tmp_path / "clickhouse")
    service.start()
    deliver_all(service, ledger, make_batches(dice, "after", 3))
    wait_until_counted(service, len(ledger.acknowledged), still=30)
    assert counted(service) == len(ledger.acknowledged)
    verified = service.headrace("verify")
    assert verified.returncode == 0, verified.stdout


def test_a_lost_stream_leaves_the_store_and_repeats_are_still_known(service, dice):
    ledger, batches = Ledger(), make_batches(dice, "before", 10)
    deliver_all(service, ledger, batches)
    wait_until_counted(service, len(ledger.acknowledged))
    assert service.stop() == 0
    shutil.rmtree(service.data_dir / "stream" / "jetstream")
    service.start()
    deliver_all(service, ledger, [*batches[:3], *make_batches(dice, "after", 3)])
    wait_until_counted(service, len(ledger.acknowledged), still=30)
    assert counted(service) == len(ledger.acknowledged)
    assert list(service.logged("writer.new_epoch"))
    verified = service.headrace("verify")
    assert verified.returncode == 0, verified.stdout
