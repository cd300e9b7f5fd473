"""The packaged flights: nothing lost, every time right, over both changes of the clock."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import zstandard

from service.recordings import recording
from service.recordings.flights import NO_AIRCRAFT, Flight, Flights, events_of, zones
from service.recordings.recording import Extent

NEW_YORK = ZoneInfo("America/New_York")
FOLDER = files("service.recordings")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The packaged copy as the standard library reads it."""
    text = zstandard.decompress((FOLDER / "flights_2013.csv.zst").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def times() -> dict[str, int]:
    """The time of every event, in the order of the recording."""
    return {record.fields["eventId"]: record.at for record in Flights().records()}


def a_flight(**about: Any) -> Flight:
    """B6 839 as it flew on an ordinary day: New York to Aguadilla, Puerto Rico."""
    usual = Flight(
        month=6,
        day=1,
        sched_dep_time="2359",
        dep_delay=0,
        arr_time="345",
        arr_delay=0,
        carrier="B6",
        flight="839",
        tailnum="N565JB",
        origin="JFK",
        dest="BQN",
        air_time=200,
        distance=1576,
    )
    return usual._replace(**about)


def moments(**about: Any) -> dict[str, str]:
    return {
        record.fields["eventType"]: record.fields["timestamp"].strftime("%m-%d %H:%M")
        for record in events_of(a_flight(**about), 2)
    }


def at(row: dict[str, str], minutes: int) -> datetime:
    day = datetime(2013, int(row["month"]), int(row["day"]), tzinfo=NEW_YORK)
    return (day + timedelta(minutes=minutes)).astimezone(UTC)


def clock(hhmm: str) -> int:
    return int(hhmm) // 100 * 60 + int(hhmm) % 100


def id_of(row: dict[str, str], kind: str) -> str:
    date = f"2013-{int(row['month']):02}-{int(row['day']):02}"
    return f"{date}-{row['carrier']}-{row['flight']}-{row['origin']}-{kind}"


def test_the_copy_holds_the_known_totals(rows: list[dict[str, str]]) -> None:
    carriers = Counter(row["carrier"] for row in rows)
    assert len(rows) == 336_776
    assert carriers["UA"] == 58_665
    assert carriers["B6"] == 54_635
    assert carriers["EV"] == 54_173
    assert carriers["DL"] == 48_110
    assert carriers["AA"] == 32_729
    assert sum(not row["dep_delay"] for row in rows) == 8_255


def test_each_flight_gives_its_events_and_each_event_has_its_own_id(
    rows: list[dict[str, str]], times: dict[str, int]
) -> None:
    expected = {id_of(row, "departed" if row["dep_delay"] else "cancelled") for row in rows}
    expected |= {id_of(row, "arrived") for row in rows if row["arr_time"]}
    assert times.keys() == expected
    assert len(expected) == 336_776 + 328_063


def test_events_come_in_the_order_in_which_they_happened(times: dict[str, int]) -> None:
    inorder = list(times.items())
    assert inorder == sorted(inorder, key=lambda item: (item[1], item[0]))


def test_the_extent_is_what_counting_finds(times: dict[str, int]) -> None:
    assert Flights().extent() == Extent(len(times), 0, min(times.values()), max(times.values()))


def test_departures_and_cancellations_are_new_yorks_clock_in_utc(
    rows: list[dict[str, str]], times: dict[str, int]
) -> None:
    for row in rows[::10]:
        scheduled = at(row, clock(row["sched_dep_time"]))
        left = scheduled + timedelta(minutes=int(row["dep_delay"] or 0))
        kind = "departed" if row["dep_delay"] else "cancelled"
        assert times[id_of(row, kind)] == left.timestamp() * 1000


def test_arrivals_show_the_recorded_time_on_the_destinations_clock_and_the_ground_time_is_sane(
    rows: list[dict[str, str]], times: dict[str, int]
) -> None:
    for row in [row for row in rows if row["arr_time"]][::10]:
        arrived = times[id_of(row, "arrived")]
        there = datetime.fromtimestamp(arrived / 1000, ZoneInfo(zones()[row["dest"]]))
        assert there.hour * 60 + there.minute == clock(row["arr_time"]) % 1440
        underway = (arrived - times[id_of(row, "departed")]) / 60_000
        assert not row["air_time"] or 0 <= underway - int(row["air_time"]) <= 240


def test_an_ordinary_flight_departs_and_arrives() -> None:
    assert moments() == {"departed": "06-02 03:59", "arrived": "06-02 07:45"}


def test_a_delay_past_midnight_moves_the_date() -> None:
    assert moments(dep_delay=1, arr_time="346")["departed"] == "06-02 04:00"
    assert moments(dep_delay=1442, arr_time="346")["departed"] == "06-03 04:01"


def test_2400_is_the_midnight_that_ends_the_day() -> None:
    about = {"sched_dep_time": "2200", "dest": "RDU", "air_time": 90, "arr_time": "2400"}
    assert moments(**about) == {"departed": "06-02 02:00", "arrived": "06-02 04:00"}


def test_a_flight_west_arrives_on_the_clock_of_the_west() -> None:
    about = {"sched_dep_time": "900", "dest": "HNL", "air_time": 659, "arr_time": "1516"}
    assert moments(month=1, **about) == {"departed": "01-01 14:00", "arrived": "01-02 01:16"}


@pytest.mark.parametrize(
    ("month", "day", "hhmm", "utc"),
    [
        (3, 9, "2359", "03-10 04:59"),  # the last night of winter time
        (3, 10, "100", "03-10 06:00"),
        (3, 10, "300", "03-10 07:00"),  # 02:00 to 03:00 does not exist
        (3, 10, "500", "03-10 09:00"),
        (11, 2, "2359", "11-03 03:59"),
        (11, 3, "520", "11-03 10:20"),
    ],
)
def test_schedules_around_the_changes_of_the_clock(
    month: int, day: int, hhmm: str, utc: str
) -> None:
    about = {"month": month, "day": day, "sched_dep_time": hhmm, "dep_delay": None}
    assert moments(**about) == {"cancelled": utc}


@pytest.mark.parametrize(("air_time", "utc"), [(60, "05:30"), (100, "06:30")])
def test_an_hour_that_comes_twice_is_told_apart_by_the_time_in_the_air(
    air_time: int, utc: str
) -> None:
    about = {"month": 11, "day": 2, "dest": "BOS", "arr_time": "130", "air_time": air_time}
    assert moments(**about)["arrived"] == f"11-03 {utc}"


def test_a_flight_over_the_change_in_spring_arrives_an_hour_later_by_the_clock() -> None:
    about = {"month": 3, "day": 10, "sched_dep_time": "130", "dest": "BOS"}
    assert moments(**about, arr_time="330", air_time=50)["arrived"] == "03-10 07:30"


def test_what_is_not_known_is_left_out() -> None:
    (cancelled,) = events_of(a_flight(dep_delay=None, tailnum=""), 2)
    assert cancelled.fields["sessionId"] == NO_AIRCRAFT
    assert cancelled.fields["payload"] == {
        "flight": "B6839",
        "origin": "JFK",
        "dest": "BQN",
        "distance": 1576,
    }
    diverted = list(events_of(a_flight(arr_delay=None, air_time=None), 2))[1]
    assert "arr_delay" not in diverted.fields["payload"]
    assert [r.fields["eventType"] for r in events_of(a_flight(arr_time=""), 2)] == ["departed"]


def test_numbers_stand_on_the_event_they_belong_to() -> None:
    departed, arrived = events_of(a_flight(dep_delay=5, arr_delay=-3), 2)
    assert departed.fields["payload"]["dep_delay"] == 5
    assert "dep_delay" not in arrived.fields["payload"]
    assert arrived.fields["payload"]["arr_delay"] == -3
    assert arrived.fields["payload"]["air_time"] == 200
    assert departed.fields["metadata"] == {"source": "JFK"}


def test_the_flights_are_replayed_by_their_name() -> None:
    assert isinstance(recording("flights-2013"), Flights)
