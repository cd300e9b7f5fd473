"""The certificate of a server, taken up again when its files are renewed."""

import asyncio
import ssl
from pathlib import Path

from service.errors import SettingsError
from service.settings import Settings
from service.telemetry import log

LOOK_AGAIN = 5.0
"""Seconds between two looks at the files."""


class Certificate:
    """A certificate with its chain and its key. Raises SettingsError when they do not fit."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self._seen = self._state()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._load_into(self.context)

    async def follow(self) -> None:
        """Take up what is renewed, for handshakes from then on, until cancelled.

        Files that do not fit, because one was renewed and the other not yet, are left for later.
        """
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            if (state := self._state()) != self._seen:
                self._renew(state)

    def _renew(self, state: object) -> None:
        try:
            self._load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load_into(self.context)
        except SettingsError as error:
            log().warning("server.certificate_not_renewed", reason=str(error))
        else:
            log().info("server.certificate_renewed")
        self._seen = state

    def _load_into(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._chain, self._key, password=_no_password)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise SettingsError(f"HEADRACE_TLS_CERT, HEADRACE_TLS_KEY: {reason}") from None

    def _state(self) -> object:
        return [_state_of(path) for path in (self._chain, self._key)]


def certificate_of(settings: Settings) -> Certificate | None:
    """The certificate that the settings name, if they name one; raises SettingsError."""
    if not settings.tls_cert:
        return None
    return Certificate(Path(settings.tls_cert), Path(settings.tls_key or settings.tls_cert))


def _state_of(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ino, status.st_size


def _no_password() -> str:
    """Without it OpenSSL would ask on the terminal."""
    raise ValueError("the key must not need a password")
