"""The processes of a measurement: started here, watched here, ended here."""

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from loadtests.generator import Load, Sent

API_KEY = "evp_a-fixed-key-for-load-tests-0123456789ab"
ROOT = Path(__file__).parent.parent
_PATIENCE = 120
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Failed(Exception):
    """A process did not do what the measurement needs; the message is the end of its log."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What load is sent to."""

    port: int
    pid: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def carry(self, **load: Any) -> Sent:
        """Carry out the `Load` in a process of its own. Raises Failed."""
        generator = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtests.generator"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        before = self.cpu_seconds
        try:
            order = msgspec.json.encode(Load(port=self.port, **load))
            told, _ = await generator.communicate(order)
        finally:
            if generator.returncode is None:
                generator.kill()
                await generator.wait()
        if generator.returncode:
            raise Failed(f"the load generator ended with {generator.returncode}")
        if self.ended:
            raise Failed(f"the server ended under load\n{_end_of(self.log)}")
        sent = msgspec.json.decode(told, type=Sent)
        sent.server_seconds = self.cpu_seconds - before
        return sent

    @property
    def ended(self) -> bool:
        """Whether it is no more, however that came."""
        return bool(os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))

    @property
    def resident(self) -> int:
        """Bytes resident in all processes of the subject."""
        return sum(_resident(pid) for pid in [self.pid, *_children(self.pid)])

    @property
    def open_files(self) -> int:
        """File descriptors of all its processes."""
        return self._counted("fd")

    @property
    def threads(self) -> int:
        """Of all its processes."""
        return self._counted("task")

    def _counted(self, what: str) -> int:
        """Entries of a folder of each process; one that has just ended has none."""
        found = 0
        for pid in [self.pid, *_children(self.pid)]:
            with suppress(OSError):
                found += len(list(Path(f"/proc/{pid}/{what}").iterdir()))
        return found

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return sum(_cpu_seconds(pid) for pid in [self.pid, *_children(self.pid)])


@contextmanager
def bare(what: str, *arguments: str) -> Iterator[Subject]:
    """One of the bare servers of `loadtests.bare`."""
    port = free_port()
    command = [sys.executable, "-m", "loadtests.bare", what, str(port), *arguments]
    with serving(command, port, {}) as subject:
        yield subject


@contextmanager
def headrace(data_dir: Path, **environment: str) -> Iterator[Subject]:
    """The service, ready for work; ended in good order afterwards."""
    port = free_port()
    variables = {
        "API_PORT": str(port),
        "HEADRACE_DATA_DIR": str(data_dir),
        "HEADRACE_BOOTSTRAP_API_KEY": API_KEY,
        "HEADRACE_LOG_FORMAT": "json",
        **environment,
    }
    with serving([_program(), "up"], port, variables) as subject:
        yield subject


def command(data_dir: Path, *arguments: str) -> str:
    """What a command on a data directory prints. Raises Failed."""
    done = subprocess.run(
        [_program(), *arguments],
        env={**os.environ, "HEADRACE_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"headrace {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _program() -> str:
    return shutil.which("headrace", path=sysconfig.get_path("scripts")) or "headrace"


@contextmanager
def serving(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[Subject]:
    """A server under way, from when it listens; whatever it started ends with it."""
    log = Path(os.environ.get("TMPDIR", "/tmp")) / f"loadtests-{port}.log"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HEADRACE_", "API_"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**inherited, **environment},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Subject(port, process.pid, log)
    finally:
        _end(process)
        log.unlink(missing_ok=True)


def allow_many_files() -> None:
    """Let this process and those that it starts have as many connections as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if _is_ready(probe, port):
                return
        time.sleep(0.05)
    raise Failed(_end_of(log))


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-25:])


def _is_ready(probe: socket.socket, port: int) -> bool:
    """Whether a server answers; the service listens before it is ready."""
    probe.settimeout(_PATIENCE)
    try:
        probe.connect(("127.0.0.1", port))
        probe.sendall(b"GET /api/ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        return not probe.recv(64).startswith(b"HTTP/1.1 503")
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _children(pid: int) -> list[int]:
    """All processes below this one."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_children(child)]
    return found


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
