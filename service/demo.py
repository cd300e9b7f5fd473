"""The demo's recording: the flights of 2013 into a running service, then lines to try."""

import ssl
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from service.recordings.flights import Flights
from service.replay import ReplayOptions, Report, replay_recordings

_YEAR = "start=2013-01-01T00:00:00Z&end=2014-01-02T00:00:00Z"


async def feed_demo(
    base_url: str,
    api_key: str,
    original_times: bool,
    console: Console,
    trust: ssl.SSLContext | bool = True,
) -> Report:
    """Replay the flights and print the service's address, the key and what to ask.

    The recording ends now, so that every window of time has something in it, or stays in 2013 if
    `original_times`. Raises Unreachable if the service is not there.
    """
    options = ReplayOptions(shift_to_now=not original_times, trust=trust)
    report = await replay_recordings([Flights()], options, base_url, api_key, console)
    for line in lines_to_try(base_url, api_key, original_times):
        console.print(Text(line), soft_wrap=True)
    return report


def lines_to_try(base_url: str, api_key: str, original_times: bool) -> list[str]:
    """Where the service is and three curl lines that work as they are."""
    url = base_url.rstrip("/")
    key = f"-H 'x-api-key: {api_key}'"
    day, week = (_YEAR, _YEAR) if original_times else ("timeRange=24h", "timeRange=7d")
    event = (
        '{"eventType":"departed","userId":"UA","sessionId":"N14228",'
        f'"timestamp":"{_now(original_times)}","payload":{{"dep_delay":7}}}}'
    )
    return [
        "",
        f"dashboard {url}/?{week}",
        f"service   {url}",
        f"API key   {api_key}",
        f"API docs  {url}/docs",
        "",
        "Send an event, ask for the metrics, ask for each carrier's departure delays:",
        "",
        f"curl {key} -H 'content-type: application/json' -d '{event}' '{url}/api/v1/events'",
        f"curl {key} '{url}/api/v1/analytics/metrics?{day}'",
        f"curl {key} '{url}/api/v1/analytics/numbers?name=dep_delay&by=userId&{week}'",
        "",
    ]


def _now(original_times: bool) -> str:
    now = datetime.now(UTC).replace(microsecond=0)
    return (now.replace(2013, 12, 31) if original_times else now).isoformat()
