"""`headrace deliver` on a terminal of its own, at which a test types."""

import os
import pty
import re
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT = 60.0
_CTRL_C = b"\x03"
_TAKE = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """What a person sees and may do."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self._process = process
        self._master = master
        self._shown = bytearray()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    @property
    def shown(self) -> str:
        """All that was ever written, without colours."""
        return _ESCAPES.sub("", self._shown.decode(errors="replace"))

    def press_ctrl_c(self) -> None:
        os.write(self._master, _CTRL_C)

    def wait_for(self, words: str) -> "re.Match[str]":
        """Return when it shows something like this."""
        deadline = time.monotonic() + LIMIT
        while not (found := re.search(words, self.shown)):
            assert time.monotonic() < deadline, self.shown[-2000:]
            time.sleep(0.02)
        return found

    def ended(self) -> int:
        """Its exit code, once all that it wrote is here."""
        code = self._process.wait(LIMIT)
        self._reading.join(LIMIT)
        return code

    def _read(self) -> None:
        try:
            while piece := os.read(self._master, 65536):
                self._shown += piece
        except OSError:
            pass  # nobody has the other side open any more


@contextmanager
def delivering(file: Path, config: Path) -> Iterator[Terminal]:
    """The command, as a person begins it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 200))
    words = [sys.executable, "-m", "service.cli", "deliver", str(file), "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(slave)
    terminal = Terminal(process, master)
    try:
        yield terminal
    finally:
        process.kill()
        terminal.ended()
        os.close(master)
