"""When an event happened, by a clock that may be wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from service.errors import InvalidInput

_TRUSTED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """A sender's clock, by what it showed when he sent.

    A clock that is more than a minute off is put right, by whole minutes:
    time = timestamp + (received - sent). One that is less off is left alone, so that what is sent
    again, a little later, has the same time: by time and id a repeat is known for ever.
    """

    received: datetime
    sent: datetime | None = None

    def time(self, given: datetime | None) -> datetime:
        """The time of an event that its sender dates so; now for one that has no date."""
        if given is None:
            return self.received
        try:
            return given + self._error()
        except OverflowError:
            raise InvalidInput("`timestamp` is beyond all calendars", "timestamp") from None

    def _error(self) -> timedelta:
        error = self.received - self.sent if self.sent else timedelta()
        return timedelta() if abs(error) <= _TRUSTED else timedelta(minutes=round(error / _TRUSTED))


def moment_of(value: Any, field: str) -> datetime | None:
    """A time in ISO 8601; without an offset it is UTC. Raises InvalidInput for anything else."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value.strip().upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, ValueError, OverflowError):
        allowed = "an ISO 8601 time such as 2024-01-30T12:34:56Z"
        raise InvalidInput(f"`{field}` must be {allowed}", field) from None
