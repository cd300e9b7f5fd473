"""SIGTERM under load: what was acknowledged is stored, the rest is cleanly refused."""

from tests.chaos.clients import Load
from tests.chaos.judge import assert_counted_once, stored_ids


def test_sigterm_under_load_ends_in_order_and_loses_nothing(new_service, seed):
    service = new_service().start()
    load = Load(service, seed, clients=8)
    load.patience = 0.5
    with load:
        load.wait_for_more(1000)
        assert service.stop() == 0
    assert load.ledger.acknowledged <= stored_ids(service)
    assert load.ledger.answers[0] > 0, "no client met the end"
    assert_counted_once(service, load.ledger)


def test_sigterm_and_a_new_start_again_and_again_lose_nothing(new_service, seed):
    service = new_service().start()
    load = Load(service, seed)
    with load:
        for _ in range(2):
            load.wait_for_more(500)
            assert service.stop() == 0
            service.start()
    assert_counted_once(service, load.ledger)
