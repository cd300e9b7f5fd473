"""What the broker may do to the service: lose its memory, stand still, carry junk."""

import os
import shutil
import signal
import time

from tests.chaos.clients import Ledger, Load, deliver_all, make_batches
from tests.chaos.faults import POISON, kill_broker, publish_raw, roll_back
from tests.chaos.judge import assert_counted_once, wait_until_counted
from tests.chaos.tally import struck


def test_a_broker_put_back_to_an_older_copy_costs_no_event(new_service, dice):
    service, ledger = new_service(), Ledger()
    roll_back(service, ledger, dice)
    [epoch] = service.logged("writer.new_epoch")
    assert epoch["epoch"] == 2
    assert_counted_once(service, ledger)


def test_a_broker_put_back_under_a_running_service_costs_no_stored_event(new_service, dice):
    service, ledger = new_service().start(), Ledger()
    deliver_all(service, ledger, make_batches(dice, "before", 10))
    folder = service.data_dir / "stream" / "jetstream"
    shutil.copytree(folder, folder.with_name("older"))
    deliver_all(service, ledger, make_batches(dice, "after", 10))
    wait_until_counted(service, len(ledger.acknowledged))
    os.kill(service.pid, signal.SIGSTOP)
    os.kill(service.broker_pid, signal.SIGKILL)
    shutil.rmtree(folder)
    folder.with_name("older").rename(folder)
    os.kill(service.pid, signal.SIGCONT)
    struck("embedded", "broker rolled back")
    deliver_all(service, ledger, make_batches(dice, "later", 30))
    assert_counted_once(service, ledger)
    assert list(service.logged("writer.new_epoch"))


def test_a_broker_that_stands_still_is_503_and_then_all_is_counted(new_service, seed):
    service = new_service(HEADRACE_PUBLISH_TIMEOUT=1).start()
    load = Load(service, seed)
    with load:
        load.wait_for_more(300)
        os.kill(service.broker_pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(service.broker_pid, signal.SIGCONT)
        struck("embedded", "broker stopped")
        load.wait_for_more(300)
    assert load.ledger.answers[503] > 0
    assert_counted_once(service, load.ledger)


def test_the_service_never_notices_a_broker_killed_between_two_batches(new_service, dice):
    service, ledger = new_service().start(), Ledger()
    deliver_all(service, ledger, make_batches(dice, "before", 5))
    kill_broker(service)
    deliver_all(service, ledger, make_batches(dice, "after", 5))
    assert ledger.answers.keys() == {202}
    assert_counted_once(service, ledger)


def test_poison_is_put_aside_and_the_flow_goes_on(new_service, dice):
    service, ledger = new_service().start(), Ledger()
    deliver_all(service, ledger, make_batches(dice, "before", 5))
    publish_raw(service, POISON)
    publish_raw(service, b"HR\x01" + bytes(40))
    deliver_all(service, ledger, make_batches(dice, "after", 5))
    wait_until_counted(service, len(ledger.acknowledged))
    listed = service.headrace("dead-letters", "list").stdout
    assert "unknown form" in listed
    assert listed.count("env_default") == 2
    assert_counted_once(service, ledger)


def test_dead_letters_are_replayed_and_discarded_from_the_command_line(new_service):
    service = new_service().start()
    publish_raw(service, POISON)
    service.wait_for_log("writer.dead_letter")
    assert service.headrace("dead-letters", "replay", "1").returncode == 0
    service.wait_for_log("writer.dead_letter", times=2)
    assert service.headrace("dead-letters", "discard", "1").returncode == 1
    assert service.headrace("dead-letters", "discard", "2").returncode == 0
    assert "no dead letters" in service.headrace("dead-letters", "list").stdout
    assert service.stop() == 0
