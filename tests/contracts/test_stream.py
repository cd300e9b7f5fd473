"""What every stream promises, and how the embedded broker lives and dies."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from service.errors import IngestionUnavailable, InvalidInput, TooLarge
from service.stream.jetstream import open_jetstream
from service.stream.nats_child import LARGEST_MESSAGE, NatsChild
from tests.building import TENANT


async def put(stream, *bodies, tenant=TENANT):
    """Publish bodies under their own names; the sequences."""
    receipts = [await stream.publish(tenant, b.decode(), b, timeout=5) for b in bodies]
    return [r.sequence for r in receipts]


async def bodies(stream, after=0, messages=100):
    return [m.body for m in await stream.read(after, messages, 0)]


async def kill(broker):
    """End the broker as a crash would, and wait until it is another one."""
    killed = broker.pid
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(20):
        while broker.pid == killed or not await answers(broker):
            await asyncio.sleep(0.02)


async def answers(broker) -> bool:
    port = int(broker.url.rpartition(":")[2])
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


# The log


async def test_what_was_published_is_read_in_order_with_all_that_is_known_of_it(stream):
    assert await put(stream, b"one", b"two") == [1, 2]
    first, second = await stream.read(0, 10, 0)
    assert (first.sequence, first.id, first.tenant, first.body) == (1, "one", TENANT, b"one")
    assert second.sequence == 2
    assert first.time <= second.time


async def test_what_is_noted_beside_a_body_is_read_with_it_and_no_more(stream):
    await stream.publish(TENANT, "noted", b"one", 5, {"Headrace-Requests": "r1,r2"})
    await stream.publish(TENANT, "plain", b"two", 5)
    noted, plain = await stream.read(0, 10, 0)
    assert (noted.id, noted.notes) == ("noted", {"Headrace-Requests": "r1,r2"})
    assert (plain.id, plain.notes) == ("plain", {})


async def test_reading_goes_on_after_a_sequence_and_stops_at_a_number_of_messages(stream):
    await put(stream, b"one", b"two", b"three")
    assert await bodies(stream, after=1, messages=1) == [b"two"]
    assert await bodies(stream, after=3) == []


async def test_the_same_id_is_kept_once(stream):
    await stream.publish(TENANT, "id", b"first", timeout=5)
    receipt = await stream.publish(TENANT, "id", b"second", timeout=5)
    assert (receipt.sequence, receipt.duplicate) == (1, True)
    assert await bodies(stream) == [b"first"]


async def test_a_reader_who_waits_gets_what_comes(stream):
    reading = asyncio.create_task(stream.read(0, 10, wait=20))
    await asyncio.sleep(0.1)
    await put(stream, b"late")
    assert [m.body for m in await reading] == [b"late"]


async def test_a_reader_who_waits_gets_what_another_process_publishes(stream, broker):
    other = await open_jetstream(broker.url, 1 << 28, 120)
    reading = asyncio.create_task(stream.read(0, 10, wait=20))
    await asyncio.sleep(0.1)
    await put(other, b"late")
    assert [m.body for m in await reading] == [b"late"]
    await other.close()


async def test_messages_larger_than_one_read_come_one_by_one(stream):
    large = [bytes([n]) * (12 << 20) for n in range(3)]
    for body in large:
        await stream.publish(TENANT, str(body[0]), body, timeout=20)
    assert await bodies(stream) == large[:1]
    assert await bodies(stream, after=1) == large[1:2]


async def test_a_body_of_any_bytes_comes_back_as_it_was(stream):
    body = bytes(range(256)) + b"\r\nMSG x 1\r\n"
    await stream.publish(TENANT, "id", body, timeout=5)
    assert await bodies(stream) == [body]


async def test_a_message_larger_than_the_broker_takes_is_refused_and_harms_nobody(stream):
    for size in (LARGEST_MESSAGE - 10, LARGEST_MESSAGE + 1):
        with pytest.raises(TooLarge):
            await stream.publish(TENANT, "large", bytes(size), timeout=5)
    assert stream.connections == 0
    assert await put(stream, b"small") == [1]


async def test_a_tenant_that_no_subject_can_carry_is_refused(stream):
    for tenant in ("", "a.b", "*", "a b", "x" * 65):
        with pytest.raises(InvalidInput):
            await stream.publish(tenant, "id", b"x", timeout=5)


async def test_an_id_is_told_by_sequence_as_long_as_the_message_is_held(stream):
    await put(stream, b"one", b"two", b"three")
    await stream.purge(before=2)
    assert [await stream.message_id(n) for n in (1, 2, 3, 4)] == [None, "two", "three", None]


async def test_purging_forgets_what_lies_before_a_sequence_and_keeps_it(stream):
    await put(stream, b"one", b"two", b"three")
    await stream.purge(before=3)
    state = await stream.state()
    assert (state.first_sequence, state.last_sequence) == (3, 3)
    assert await bodies(stream) == [b"three"]


async def test_holes_in_the_log_are_passed(stream):
    await put(stream, b"one", b"two", b"three")
    await stream._api("STREAM.MSG.DELETE.HEADRACE_EVENTS", {"seq": 2})
    assert await bodies(stream) == [b"one", b"three"]


async def test_a_full_stream_is_unavailable_and_still_knows_what_it_has(broker):
    stream = await open_jetstream(broker.url, 20_000, 120)
    await stream.publish(TENANT, "first", bytes(15_000), timeout=5)
    with pytest.raises(IngestionUnavailable, match="full"):
        await stream.publish(TENANT, "second", bytes(15_000), timeout=5)
    assert (await stream.publish(TENANT, "first", bytes(15_000), timeout=5)).duplicate
    await stream.close()


async def test_a_stream_made_anew_is_told_by_its_creation(stream):
    before = await stream.state()
    await make_anew(stream)
    assert (await stream.state()).created != before.created


async def make_anew(stream):
    await stream._api("STREAM.DELETE.HEADRACE_EVENTS")
    await stream.prepare(1 << 28, 120)


async def test_a_stream_that_is_gone_is_an_error_that_can_be_tried_again(stream):
    await stream._api("STREAM.DELETE.HEADRACE_EVENTS")
    with pytest.raises(ConnectionError):
        await stream.state()


async def test_dead_letters_are_kept_once_an_origin_with_their_reason(stream):
    for _ in range(2):
        await stream.put_dead_letter(TENANT, 77, "torn\r\nin\ntwo: ü" + "!" * 9999, b"junk")
    [letter] = await stream.dead_letters(0, 10)
    assert await stream.count_dead_letters() == 1
    assert (letter.origin, letter.tenant, letter.body) == (77, TENANT, b"junk")
    assert letter.reason.startswith("torn in two: ?!!!")
    await stream.discard_dead_letter(letter.sequence)
    assert await stream.dead_letters(0, 10) == []
    assert await stream.count_dead_letters() == 0


async def test_the_dead_letters_of_one_tenant_are_read_without_those_between(stream):
    for origin in range(6):
        await stream.put_dead_letter(f"tenant{origin % 3}", origin, "junk", b"%d" % origin)
    first = await stream.dead_letters(0, 1, "tenant1")
    rest = await stream.dead_letters(first[0].sequence, 10, "tenant1")
    assert [letter.body for letter in [*first, *rest]] == [b"1", b"4"]
    assert len(await stream.dead_letters(0, 10)) == 6


async def test_a_dead_letter_filled_to_the_brim_is_kept(stream):
    await stream.put_dead_letter(TENANT, 1, "full", bytes(LARGEST_MESSAGE))
    [letter] = await stream.dead_letters(0, 10)
    assert len(letter.body) > LARGEST_MESSAGE - 10_000


# The broker comes and goes


async def test_what_was_acknowledged_is_there_after_the_broker_was_killed(stream, broker):
    await put(stream, b"one", b"two")
    await kill(broker)
    assert await put(stream, b"three") == [3]
    assert await bodies(stream) == [b"one", b"two", b"three"]
    assert stream.connections == 1


async def test_a_publish_outlives_the_brokers_restart(stream, broker):
    killing = asyncio.create_task(kill(broker))
    for n in range(50):
        await stream.publish(TENANT, str(n), b"%d" % n, timeout=20)
    await killing
    assert await bodies(stream) == [b"%d" % n for n in range(50)]


async def test_a_read_under_way_ends_when_the_broker_is_lost(stream, broker):
    reading = asyncio.create_task(stream.read(0, 10, wait=60))
    await asyncio.sleep(0.1)
    await kill(broker)
    with pytest.raises(ConnectionError):
        await reading


async def test_without_a_broker_everything_says_so_in_time(stream, broker):
    await broker.stop()
    with pytest.raises(IngestionUnavailable):
        await stream.publish(TENANT, "id", b"x", timeout=0.3)
    with pytest.raises(IngestionUnavailable):
        await stream.publish(TENANT, "id", b"x", timeout=0)
    for asking in (stream.read(0, 1, 0), stream.state(), stream.purge(1)):
        with pytest.raises(ConnectionError):
            await asking
    with pytest.raises(ConnectionError):
        await stream.put_dead_letter(TENANT, 1, "why", b"x")


# The embedded broker


async def test_the_broker_keeps_its_port_its_password_and_its_log(tmp_path):
    urls = []
    for _ in range(2):
        broker = NatsChild(tmp_path / "stream")
        await broker.start()
        stream = await open_jetstream(broker.url, 1 << 28, 120)
        await put(stream, b"x%d" % len(urls))
        urls.append(broker.url)
        await stream.close()
        await broker.stop()
    assert urls[0] == urls[1]


async def test_passwords_are_for_the_owner_alone(broker, tmp_path):
    for name in ("password", "nats.conf"):
        assert stat.S_IMODE((tmp_path / "stream" / name).stat().st_mode) == 0o600


async def test_a_port_taken_by_another_program_is_left_to_it(tmp_path):
    folder = tmp_path / "stream"
    port = NatsChild(folder).url.rpartition(":")[2]
    with socket.create_server(("127.0.0.1", int(port))):
        broker = NatsChild(folder)
        await broker.start()
        assert broker.url.rpartition(":")[2] != port
        stream = await open_jetstream(broker.url, 1 << 28, 120)
        assert await put(stream, b"one") == [1]
        await stream.close()
        await broker.stop()


async def test_a_folder_of_any_name_will_do(tmp_path):
    broker = NatsChild(tmp_path / 'my "data" it\'s $HOME \\ ü')
    await broker.start()
    stream = await open_jetstream(broker.url, 1 << 28, 120)
    assert await put(stream, b"one") == [1]
    await stream.close()
    await broker.stop()
    assert list(tmp_path.iterdir()) == [broker._folder]


async def test_a_stream_may_be_larger_than_the_disk_is_free(broker):
    stream = await open_jetstream(broker.url, shutil.disk_usage("/").total * 4, 120)
    assert await put(stream, b"one") == [1]
    await stream.close()


PARENT = """
import asyncio, sys
from pathlib import Path
from service.stream.nats_child import NatsChild

async def main():
    child = NatsChild(Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def is_alive(pid: int) -> bool:
    try:
        return b"nats.conf" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def gone(pid: int):
    async with asyncio.timeout(10):
        while is_alive(pid):
            await asyncio.sleep(0.02)


async def test_the_broker_dies_with_its_parent(tmp_path):
    command = (sys.executable, "-c", PARENT, str(tmp_path / "stream"))
    parent = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.communicate()
    try:
        await gone(pid)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def test_a_broker_that_outlived_its_parent_is_ended_by_the_next(broker, tmp_path):
    heir = NatsChild(tmp_path / "stream")
    orphan = broker.pid
    broker._keeper.cancel()
    await heir.start()
    assert not is_alive(orphan)
    assert heir.url == broker.url
    await heir.stop()


async def test_a_pid_that_is_another_programs_by_now_is_left_alone(tmp_path):
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    broker = NatsChild(tmp_path / "stream")
    (tmp_path / "stream" / "pid").write_text(str(stranger.pid))
    await broker.start()
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()
    await broker.stop()
