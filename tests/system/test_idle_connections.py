"""Thousands of clients that only hold a connection open: the others are answered all the same."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.running import RunningService

IDLE = 5000
_SPARE = 500
"""Files that this process has open besides."""
_LIVE = b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
MOST_BYTES_EACH = 64 * 1024
"""What the service may grow by for a connection."""


@contextmanager
def many_files() -> Iterator[None]:
    """Room for the connections in this process; skips the test where there can be none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + _SPARE:
        pytest.skip(f"{IDLE} connections need {IDLE + _SPARE} open files; the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + _SPARE), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def a_kept_connection(port: int) -> socket.socket:
    """One on which a request was answered."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(_LIVE)
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    return connection


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_five_thousand_idle_connections_leave_the_others_answered(new_service):
    service: RunningService = new_service().start()
    assert service.get("/api/v1/analytics/metrics").status_code == 200
    before = resident(service.pid)
    with many_files(), ExitStack() as opened:
        idle = [opened.enter_context(a_kept_connection(service.port)) for _ in range(IDLE)]
        for path in ("/api/live", "/api/v1/analytics/metrics", "/api/v1/events/stats"):
            assert service.get(path).status_code == 200
        assert sum(map(is_open, idle)) == IDLE
        assert resident(service.pid) - before < IDLE * MOST_BYTES_EACH
    assert service.get("/api/live").status_code == 200
