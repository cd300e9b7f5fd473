"""A stream or a disk that takes no more is 503 with `Retry-After`; with space all goes on."""

from tests.chaos.clients import Load
from tests.chaos.faults import no_space_left, small_disk
from tests.chaos.judge import assert_counted_once, wait_until_counted
from tests.chaos.tally import struck

MEGABYTE = 1024 * 1024


def test_a_full_stream_refuses_until_the_writer_has_made_room(new_service, seed):
    service = new_service(
        HEADRACE_STREAM_MAX_BYTES=MEGABYTE // 2, HEADRACE_STREAM_KEEP_SECONDS=2
    ).start()
    load = Load(service, seed)
    with load:
        load.wait_for_refusals(3)
        struck("embedded", "stream full")
        load.wait_for_more(300)
    assert_counted_once(service, load.ledger)


def test_a_service_killed_with_its_stream_full_makes_room_at_its_next_start(new_service, seed):
    service = new_service(
        HEADRACE_STREAM_MAX_BYTES=MEGABYTE // 2, HEADRACE_STREAM_KEEP_SECONDS=3600
    ).start()
    load = Load(service, seed)
    with load:
        load.wait_for_refusals(3)
        wait_until_counted(service, len(load.ledger.acknowledged))
        service.kill()
        struck("embedded", "stream full")
        struck("embedded", "service killed")
        service.start(HEADRACE_STREAM_KEEP_SECONDS=0)
        load.wait_for_more(300)
    assert_counted_once(service, load.ledger)


def test_a_full_disk_under_the_broker_refuses_until_there_is_space(new_service, seed):
    service = new_service(HEADRACE_PUBLISH_TIMEOUT=1)
    load = Load(service, seed)
    with small_disk(service.data_dir / "stream", "96m") as disk:
        service.start()
        with load:
            load.wait_for_more(300)
            with no_space_left(disk):
                load.wait_for_refusals(10)
            load.wait_for_more(300)
        assert_counted_once(service, load.ledger)


def test_a_full_disk_under_the_store_delays_counting_and_loses_nothing(new_service, seed):
    service = new_service()
    load = Load(service, seed)
    with small_disk(service.data_dir, "96m") as disk:
        elsewhere = service.data_dir.with_name("stream")
        elsewhere.mkdir()
        (service.data_dir / "stream").symlink_to(elsewhere)
        service.start()
        with load:
            load.wait_for_more(300)
            with no_space_left(disk):
                load.wait_for_more(3000)
                service.wait_for_log("writer.failed")
            load.wait_for_more(300)
        assert_counted_once(service, load.ledger)


def test_a_full_disk_under_everything_refuses_until_there_is_space(new_service, seed):
    service = new_service(HEADRACE_PUBLISH_TIMEOUT=1)
    load = Load(service, seed)
    with small_disk(service.data_dir, "128m") as disk:
        service.start()
        with load:
            load.wait_for_more(300)
            with no_space_left(disk):
                load.wait_for_refusals(10)
            load.wait_for_more(300)
        assert_counted_once(service, load.ledger)
