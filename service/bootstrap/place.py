"""The place of a process: its data directory, its secret, its name among others."""

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from service.accounts.sealing import Sealing
from service.accounts.tokens import Tokens
from service.errors import DataDirectoryBusy
from service.settings import Settings


@contextmanager
def hold(data_dir: Path) -> Iterator[None]:
    """Keep other processes off the data directory; the lock dies with this one."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataDirectoryBusy(
                f"{data_dir} is in use by another headrace; stop it, "
                "or give this one its own HEADRACE_DATA_DIR"
            ) from None
        yield


def secret_of(settings: Settings) -> bytes:
    """The secret of the settings, or one made at the first start and kept."""
    if settings.secret_key:
        return settings.secret_key.encode()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text().encode()


def sealing_of(settings: Settings) -> Sealing:
    """What seals secrets of this service's accounts, and opens them."""
    return Sealing(secret_of(settings), [text.encode() for text in settings.former_secrets])


def tokens_of(settings: Settings) -> Tokens:
    """What signs session tokens, and reads them."""
    return Tokens(secret_of(settings), [text.encode() for text in settings.former_secrets])


def operator_token_of(settings: Settings, secret: bytes) -> str:
    """What opens the routes for operators: made anew where one process is all there is."""
    if not settings.is_shared:
        return secrets.token_urlsafe(32)
    return operator_token(secret)


def operator_token(secret: bytes) -> str:
    """The same for all processes that have the same secret."""
    return blake2b(secret, person=b"operator token").hexdigest()


def this_process() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
