"""Where the service of a data directory is reached: a note that it leaves there while it runs."""

import os
import ssl
from contextlib import suppress
from pathlib import Path

import httpx2
import msgspec

from service.errors import NotRunning

API = "run"
WORKER = "work"
"""What a note is of: where the API is reached, or where a worker answers for its health."""


class Running(msgspec.Struct, frozen=True):
    """A service that runs on a data directory."""

    url: str
    pid: int
    operator_token: str
    """Lets whoever can read the note use the routes for operators."""
    certificate: str = ""
    """The file of its certificate, where it speaks TLS."""


def trusted(certificate: str) -> ssl.SSLContext | bool:
    """What to trust when calling a service of ours: its own certificate, whatever it names.

    True, for what every client trusts, where it has none.
    """
    if not certificate:
        return True
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def calling(there: Running, patience: float) -> httpx2.AsyncClient:
    """A client of a service of ours, as its operator."""
    headers = {"authorization": f"Bearer {there.operator_token}"}
    trust = trusted(there.certificate)
    return httpx2.AsyncClient(base_url=there.url, headers=headers, timeout=patience, verify=trust)


def write(data_dir: Path, running: Running, name: str = API) -> None:
    """Leave the note, readable by its owner alone, in place of an earlier one."""
    new = data_dir / f"{name}.json.{running.pid}"
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_bytes(msgspec.json.encode(running))
    new.replace(data_dir / f"{name}.json")


def read(data_dir: Path, name: str = API) -> Running:
    """The service that runs on this data directory; raises NotRunning when there is none."""
    try:
        running = msgspec.json.decode((data_dir / f"{name}.json").read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        running = None
    if running is None or not _lives(running.pid):
        raise NotRunning(f"no service runs on {data_dir}; start one with `headrace up`")
    return running


def read_all(data_dir: Path) -> list[Running]:
    """Every process that runs on this data directory; raises NotRunning when there is none."""
    found = []
    for name in (API, WORKER):
        with suppress(NotRunning):
            found.append(read(data_dir, name))
    return found or [read(data_dir)]


def remove(data_dir: Path, pid: int, name: str = API) -> None:
    """Take the note of this process away; one left by another process stays."""
    try:
        running = read(data_dir, name)
    except NotRunning:
        return
    if running.pid == pid:
        (data_dir / f"{name}.json").unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
