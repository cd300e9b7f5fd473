"""Events that really happened, kept so that they can be sent again.

A recording is a file of a user's own (`files`) or one that comes with the package (`flights`).
"""

from pathlib import Path

from service.recordings.files import RecordedFile
from service.recordings.flights import Flights
from service.recordings.recording import Recording

PACKAGED: dict[str, type[Recording]] = {Flights.name: Flights}
"""Recordings that travel with the package, by name."""


def recording(source: str | Path) -> Recording:
    """The recording that a path or a packaged recording's name stands for."""
    packaged = PACKAGED.get(str(source))
    return packaged() if packaged else RecordedFile(Path(source))
