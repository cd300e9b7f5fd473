"""Buckets follow the clock on the wall, whatever that clock does."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from service.query.buckets import bucket_starts, shown, slot_width
from service.query.catalog import INTERVALS


def ms(text):
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def starts(start, end, interval, zone="UTC"):
    found = bucket_starts(ms(start), ms(end), INTERVALS[interval], ZoneInfo(zone))
    return [shown(s)[5:16] for s in found]


def test_buckets_begin_at_multiples_of_the_interval_and_the_first_one_holds_the_start():
    found = starts("2026-01-01T10:07:00Z", "2026-01-01T10:31:00Z", "15m")
    assert found == ["01-01T10:00", "01-01T10:15", "01-01T10:30"]


def test_a_range_that_ends_where_a_bucket_does_has_no_empty_last_one():
    assert starts("2026-01-01T10:00:00Z", "2026-01-01T10:30:00Z", "15m") == [
        "01-01T10:00",
        "01-01T10:15",
    ]


def test_days_in_kathmandu_begin_at_a_quarter_past_six_in_the_evening_utc():
    found = starts("2026-01-01T00:00:00Z", "2026-01-02T20:00:00Z", "1d", "Asia/Kathmandu")
    assert found == ["12-31T18:15", "01-01T18:15", "01-02T18:15"]


def test_weeks_begin_on_monday():
    found = starts("2026-01-01T00:00:00Z", "2026-01-13T00:00:00Z", "1w")
    assert found == ["12-29T00:00", "01-05T00:00", "01-12T00:00"]


def test_the_day_of_the_change_to_summer_time_has_23_hours():
    found = starts("2026-03-08T05:00:00Z", "2026-03-09T05:00:00Z", "1d", "America/New_York")
    assert found == ["03-08T05:00", "03-09T04:00"]


def test_a_bucket_begins_where_the_clock_jumps_over_a_multiple():
    found = starts("2026-03-08T05:00:00Z", "2026-03-08T10:00:00Z", "2h", "America/New_York")
    assert found == ["03-08T05:00", "03-08T07:00", "03-08T08:00"]


def test_the_hour_that_the_clock_shows_twice_makes_two_buckets():
    found = starts("2026-11-01T05:00:00Z", "2026-11-01T08:00:00Z", "1h", "America/New_York")
    assert found == ["11-01T05:00", "11-01T06:00", "11-01T07:00"]


def test_lord_howe_changes_its_clock_by_half_an_hour():
    found = starts("2026-04-04T13:00:00Z", "2026-04-04T17:00:00Z", "1h", "Australia/Lord_Howe")
    assert found == ["04-04T13:00", "04-04T14:00", "04-04T15:30", "04-04T16:30"]


def test_a_day_whose_midnight_is_jumped_over_begins_at_one_o_clock():
    found = starts("2026-04-23T12:00:00Z", "2026-04-24T12:00:00Z", "1d", "Africa/Cairo")
    assert found == ["04-22T22:00", "04-23T22:00"]


@pytest.mark.parametrize(
    ("zone", "interval", "width"),
    [
        ("UTC", "2h", "2h"),
        ("Asia/Kathmandu", "1d", "1d"),
        ("America/New_York", "1d", "1h"),
        ("Australia/Lord_Howe", "6h", None),
    ],
)
def test_slots_are_as_wide_as_the_changes_of_the_clock_let_them_be(zone, interval, width):
    year = (ms("2026-01-01T00:00:00Z"), ms("2026-12-31T00:00:00Z"))
    found = bucket_starts(*year, INTERVALS[interval], ZoneInfo(zone))
    expected = INTERVALS[width] if width else 30 * INTERVALS["1m"]
    assert slot_width(found, INTERVALS[interval]) == expected


def test_times_are_shown_in_seconds_or_in_milliseconds_where_there_are_any():
    assert shown(0) == "1970-01-01T00:00:00Z"
    assert shown(-1) == "1969-12-31T23:59:59.999Z"


def test_a_range_that_ends_where_the_clock_changes_has_no_bucket_there():
    change = 1_776_981_600_000
    assert bucket_starts(change - 1, change, 10_000, ZoneInfo("Africa/Cairo")) == [change - 10_000]
