"""A really running service: `headrace up` as a process of its own, on a folder of its own."""

import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx2

from service.running import trusted
from tests.certificates import write_certificate

API_KEY = "evp_a-fixed-key-for-tests-0123456789abcdef"
START_SECONDS = 40
STOP_SECONDS = 40


class DidNotStart(AssertionError):
    """The service ended, or was not ready in time; the message is the end of its log."""


class RunningService:
    """One service and what a test may do to it. The folder and the port stay over restarts."""

    api_key = API_KEY

    def __init__(self, data_dir: Path, **environment: str | int | float) -> None:
        self.data_dir = data_dir
        self.log = data_dir.with_suffix(".log")
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.trusts: ssl.SSLContext | bool = True
        self.command: Sequence[str] = (_headrace(), "up")
        self._environment = {name: str(value) for name, value in environment.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def broker_pid(self) -> int:
        """The nats-server child."""
        return int((self.data_dir / "stream" / "pid").read_text())

    def start(self, **environment: str | int | float) -> Self:
        """Start, with these variables this one time, and return when it says that it is ready."""
        self.launch(**environment)
        self.wait_until_ready()
        return self

    def over_tls(self) -> Self:
        """The same, with a certificate of its own that its callers trust; before it is started."""
        chain, key = write_certificate(self.data_dir.parent)
        self._environment |= {"HEADRACE_TLS_CERT": str(chain), "HEADRACE_TLS_KEY": str(key)}
        self.base_url = self.base_url.replace("http:", "https:")
        self.trusts = trusted(str(chain))
        return self

    def launch(self, **environment: str | int | float) -> None:
        """Start, and do not wait for anything."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self._variables(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return when `/api/ready` says so; raises DidNotStart."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.exit_code() is not None:
                break
            try:
                if self.get("/api/ready", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)
        ended = self.exit_code()
        raise DidNotStart(f"exit code {ended}\n{self._tell_where_it_stands()}")

    def stop(self) -> int:
        """Ask it to end, as an operator does; its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended(STOP_SECONDS)

    def kill(self) -> int:
        """Kill it without a chance to clean up; its exit code."""
        self.signal(signal.SIGKILL)
        return self.ended(STOP_SECONDS)

    def signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def ended(self, within: float) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            told = self._tell_where_it_stands()
            raise AssertionError(f"it did not end in {within} s\n{told}") from None

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process else None

    def clean_up(self) -> None:
        """End whatever still runs, the broker too."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def headrace(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line on the same folder."""
        return subprocess.run(
            [_headrace(), *arguments],
            env=self._variables(environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run a command of the command line beside what the test does; its words go to the log."""
        with self.log.open("ab") as log:
            command = [_headrace(), *arguments]
            return subprocess.Popen(command, env=self._variables({}), stdout=log, stderr=log)

    def get(
        self, path: str, timeout: float = 30, key: str = API_KEY, **parameters: Any
    ) -> httpx2.Response:
        url, headers = self.base_url + path, {"x-api-key": key}
        named = {"params": parameters, "headers": headers, "verify": self.trusts}
        return httpx2.get(url, timeout=timeout, **named)

    def post(self, path: str, document: Any, **headers: str) -> httpx2.Response:
        url, named = self.base_url + path, {"x-api-key": self.api_key, **headers}
        return httpx2.post(url, json=document, headers=named, timeout=30, verify=self.trusts)

    def delete(self, path: str) -> httpx2.Response:
        headers = {"x-api-key": self.api_key}
        return httpx2.delete(self.base_url + path, headers=headers, timeout=30)

    def logged(self, event: str) -> Iterator[dict[str, Any]]:
        """What it logged under this name, over all its starts."""
        for line in self.log.read_text(errors="replace").splitlines():
            if f'"{event}"' in line:
                entry = json.loads(line)
                if entry["event"] == event:
                    yield entry

    def wait_for_log(self, event: str, times: int = 1, within: float = 20) -> None:
        """Return when it has logged this so often."""
        deadline = time.monotonic() + within
        while len(list(self.logged(event))) < times:
            assert time.monotonic() < deadline, f"no {event}:\n{self.last_words()}"
            time.sleep(0.05)

    def last_words(self, lines: int = 25) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _tell_where_it_stands(self) -> str:
        """The end of its log; what hangs is ended and leaves the stacks of its threads there."""
        if self._process and self._process.poll() is None:
            self.signal(signal.SIGABRT)
            self._process.wait(STOP_SECONDS)
        return self.last_words(150)

    def _variables(self, more: dict[str, Any]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYTHONFAULTHANDLER": "1",
            "API_PORT": str(self.port),
            "HEADRACE_DATA_DIR": str(self.data_dir),
            "HEADRACE_BOOTSTRAP_API_KEY": self.api_key,
            "HEADRACE_LOG_FORMAT": "json",
            "HEADRACE_CANARY_SECONDS": "0",  # judges read all rows; tests of the canary send it
            **self._environment,
            **{name: str(value) for name, value in more.items()},
        }


def free_port() -> int:
    """A port that nobody has, out of so many that two tests at once hardly draw the same.

    They lie below those that the system gives to outgoing connections.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _headrace() -> str:
    found = shutil.which("headrace", path=sysconfig.get_path("scripts"))
    assert found, "the command `headrace` is not installed beside this Python"
    return found
