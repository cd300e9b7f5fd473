"""What a way of sending letters must do."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter of plain text to one address."""

    to: str
    subject: str
    text: str


class Mail(Protocol):
    """Sends letters."""

    async def send(self, letter: Letter) -> None:
        """Return when the letter is on its way; raises MailUnavailable when it is not."""
        ...
