"""What may be asked: the closed choices of every parameter."""

SECOND = 1000
MINUTE = 60 * SECOND
QUARTER = 15 * MINUTE
"""A quarter of an hour."""
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

RANGES = {
    "15m": (15 * MINUTE, MINUTE),
    "1h": (HOUR, 5 * MINUTE),
    "24h": (DAY, 15 * MINUTE),
    "7d": (WEEK, 2 * HOUR),
}
"""Ranges that end now: their length and that of their buckets, in ms."""

INTERVALS = {
    "10s": 10 * SECOND,
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "6h": 6 * HOUR,
    "1d": DAY,
    "1w": WEEK,
}
"""Lengths of a bucket, in ms, the shortest first."""

BUCKETS_AIMED_AT = 120
"""A range without an interval gets the shortest one that makes no more buckets than this."""
BUCKETS_MOST = 10_000

TIME = ("timeRange", "start", "end")
FILTERS = ("eventType", "userId")
METRICS = (*TIME, "interval", "tz", *FILTERS, "limit")
NUMBERS = ("name", "by", *TIME, *FILTERS, "limit")
"""The parameters that a question takes."""

GROUPS = ("none", "eventType", "userId")

TOP_USERS, TOP_USERS_MOST = 10, 100
NUMBER_ROWS, NUMBER_ROWS_MOST = 100, 1000
"""How many rows without a `limit`, and with the highest one."""
