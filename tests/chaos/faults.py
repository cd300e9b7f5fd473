"""What goes wrong: each fault proves that it really happened."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import nats
import pytest

from service.crash import EXIT_CODE
from tests.chaos.clients import Ledger, Load, Sent, deliver_all, make_batches
from tests.chaos.tally import struck
from tests.running import RunningService

POISON = b"this is not a batch"


def die_at(service: RunningService, point: str, load: Load) -> None:
    """Let it exit at a named point, again when it comes back, and then live."""
    service.start(HEADRACE_CRASH_AT=f"{point}:2")
    with load:
        _provoke(service, point)
        assert service.ended(within=40) == EXIT_CODE
        service.launch(HEADRACE_CRASH_AT=point)
        assert service.ended(within=40) == EXIT_CODE
        struck("embedded", "died at a named point", 2)
        service.start()
        load.wait_for_more(300)


def _provoke(service: RunningService, point: str) -> None:
    """Nothing but a poison message leads to this one point."""
    if point == "writer.after_dead_letter":
        publish_raw(service, POISON)
        service.wait_for_log("writer.dead_letter")
        publish_raw(service, POISON)


def die_while_the_broker_stalls(service: RunningService, load: Load) -> None:
    """Kill the service while its broker acknowledges nothing."""
    with load:
        load.wait_for_more(300)
        os.kill(service.broker_pid, signal.SIGSTOP)
        time.sleep(1)
        assert service.kill() == -signal.SIGKILL
        struck("embedded", "broker stopped")
        struck("embedded", "service killed")
        service.start()
        load.wait_for_more(300)


def kill_at_random(
    service: RunningService, load: Load, seconds: float, dice: random.Random
) -> dict[str, int]:
    """Kill the service or its broker again and again; how often each was killed."""
    killed = {"service": 0, "broker": 0}
    end = time.monotonic() + seconds
    while time.monotonic() < end or 0 in killed.values():
        load.wait_for_more(dice.randrange(1, 500))
        time.sleep(dice.random())
        if dice.random() < 0.5:
            assert service.kill() == -signal.SIGKILL
            service.start()
            struck("embedded", "service killed")
            killed["service"] += 1
        else:
            kill_broker(service)
            killed["broker"] += 1
    return killed


def kill_broker(service: RunningService) -> None:
    """Kill the nats-server child and return when the service has started another."""
    before = service.broker_pid
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while service.broker_pid == before:
        assert time.monotonic() < deadline, "the broker was not started again"
        time.sleep(0.05)
    struck("embedded", "broker killed")


def roll_back(service: RunningService, ledger: Ledger, dice: random.Random) -> None:
    """Put the broker's folder back to what it was some acknowledged events ago."""
    folder, copy = service.data_dir / "stream" / "jetstream", service.data_dir / "older"
    service.start()
    deliver_all(service, ledger, make_batches(dice, "before-the-copy", 10))
    assert service.stop() == 0
    shutil.copytree(folder, copy)
    service.start()
    deliver_all(service, ledger, make_batches(dice, "after-the-copy", 10))
    assert service.stop() == 0
    shutil.rmtree(folder)
    shutil.move(copy, folder)
    service.start()
    struck("embedded", "broker rolled back")
    deliver_all(service, ledger, make_batches(dice, "after-the-restore", 30))


def storm(service: RunningService, ledger: Ledger, events: Sequence[Sent], seed: str) -> None:
    """Send the same events five times at once, in batches of other sizes and orders each time."""
    dice = random.Random(seed)
    parcels: list[Sequence[Sent]] = []
    for _ in range(5):
        mixed = dice.sample(events, len(events))
        while mixed:
            size = dice.randint(1, 400)
            parcels.append(mixed[:size])
            mixed = mixed[size:]
    dice.shuffle(parcels)
    deliver_all(service, ledger, parcels, clients=8)
    struck("embedded", "everything sent five times")


def publish_raw(service: RunningService, body: bytes, tenant: str = "env_default") -> None:
    """Put a message on the stream past the door, as a stranger with the password could."""

    async def publish() -> None:
        folder = service.data_dir / "stream"
        port, password = (folder / "port").read_text(), (folder / "password").read_text()
        connection = await nats.connect(f"nats://headrace:{password}@127.0.0.1:{port}")
        await connection.jetstream().publish(f"headrace.events.{tenant}", body)
        await connection.close()

    asyncio.run(publish())
    struck("embedded", "message mutilated")


@contextmanager
def no_space_left(folder: Path) -> Iterator[None]:
    """Take all space of a folder's file system away, and give it back at the end."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(folder).free == 0, "the disk was not full"
    struck("embedded", "disk full")
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own in memory, as small as told; skips where mounting is forbidden."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if mounted.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
