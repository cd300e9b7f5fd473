"""Letters by SMTP, one connection each.

`smtps://` speaks TLS from the first byte. `smtp://` turns to TLS where the server offers it; with a
password in the URL, and a server that is not on this machine, it insists.
"""

import asyncio
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

import aiosmtplib

from service.errors import MailUnavailable
from service.mail.protocol import Letter
from service.telemetry import log

_SECONDS = 10.0
"""For a letter, from the connection to the last answer of the server."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SmtpMail:
    """Hands letters to the server that `url` names; `sender` is their From."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._sender = sender
        self._host = parts.hostname
        self._port = parts.port
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme == "smtps"
        self._insists = bool(self._password) and parts.hostname not in _LOOPBACK

    async def send(self, letter: Letter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await aiosmtplib.send(
                    self._message(letter),
                    hostname=self._host,
                    port=self._port,
                    username=self._user,
                    password=self._password,
                    use_tls=self._tls,
                    start_tls=True if self._insists and not self._tls else None,
                )
        except (aiosmtplib.SMTPException, OSError) as error:
            log().warning("mail.not_sent", error=type(error).__name__)
            raise MailUnavailable("the letter could not be sent", 10) from error

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2].strip(" >"))
        message.set_content(letter.text)
        return message
