"""What can become of a row, and of one try to send it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from service.formats.csv_rows import Cursor

Outcome = Literal["created", "duplicate", "rejected", "failed"]
"""Created; there already (409); refused by the API or by the rules of a column; tried in vain."""
OUTCOMES: Sequence[Outcome] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is sent of a row."""

    name: str
    """What its idempotency key is made of; the same whenever it is sent."""
    body: bytes
    hidden: Sequence[str] = ()
    """Texts that no report may repeat."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A row to be sent: where it stands, what is sent of it, what a report may say of it."""

    number: int
    line: int
    after: Cursor
    keys: Sequence[str]
    piece: Piece


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row. `status` is that of the last answer; 0: there was none."""

    outcome: Outcome
    status: int = 0
    reason: str = ""


class Retry(Exception):
    """The same request may succeed later, not before `after` seconds.

    `lost` says that nobody knows whether it was carried out.
    """

    def __init__(
        self, reason: str, status: int = 0, after: float = 0.0, lost: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.after = after
        self.lost = lost


class Stopped(Exception):
    """No row can be delivered, for a reason that lies in no row."""


class Down(Stopped):
    """The API did not come back in time."""
