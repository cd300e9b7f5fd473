"""Where letters stay when no SMTP server is set."""

import asyncio
import time
from pathlib import Path
from secrets import token_hex

from service.errors import MailUnavailable
from service.mail.protocol import Letter
from service.telemetry import log


class Outbox:
    """For development: each letter is a file of the folder, and is read out in the log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, letter: Letter) -> None:
        file = self._folder / f"{time.time_ns() // 1_000_000}-{token_hex(4)}.txt"
        try:
            await asyncio.to_thread(_write, file, letter)
        except OSError as error:
            raise MailUnavailable(f"the outbox cannot be written: {error.strerror}") from error
        log().info("mail.outbox", file=str(file), to=letter.to, text=letter.text)


class NoMail:
    """For production without an SMTP server: nothing is sent, and that is said."""

    async def send(self, letter: Letter) -> None:
        raise MailUnavailable("no letters leave this service: HEADRACE_SMTP_URL is not set", 60)


def _write(file: Path, letter: Letter) -> None:
    """For the owner alone: there are codes in it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.text}", "utf-8")
