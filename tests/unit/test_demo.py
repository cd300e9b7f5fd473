"""What the demo prints at its end."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from service.demo import lines_to_try


def curls(original_times: bool) -> list[list[str]]:
    lines = lines_to_try("http://127.0.0.1:8000/", "evp_x", original_times)
    return [shlex.split(line) for line in lines if line.startswith("curl ")]


def test_it_names_the_dashboard_the_service_the_key_and_the_page_of_the_api() -> None:
    text = "\n".join(lines_to_try("http://127.0.0.1:8000", "evp_x", original_times=False))
    assert "dashboard http://127.0.0.1:8000/?timeRange=7d\n" in text
    assert "service   http://127.0.0.1:8000\n" in text
    assert "API key   evp_x\n" in text
    assert "http://127.0.0.1:8000/docs\n" in text


def test_the_lines_send_an_event_and_ask_for_metrics_and_numbers() -> None:
    paths = [urlsplit(line[-1]).path for line in curls(original_times=False)]
    assert paths == ["/api/v1/events", "/api/v1/analytics/metrics", "/api/v1/analytics/numbers"]
    assert all("x-api-key: evp_x" in line for line in curls(original_times=False))


@pytest.mark.parametrize("original_times", [True, False])
def test_the_event_happens_in_the_time_that_the_questions_ask_about(original_times: bool) -> None:
    send, ask, _ = curls(original_times)
    event = json.loads(send[send.index("-d") + 1])
    happened = datetime.fromisoformat(event["timestamp"])
    asked = parse_qs(urlsplit(ask[-1]).query)
    if original_times:
        start, end = (datetime.fromisoformat(asked[side][0]) for side in ("start", "end"))
        assert start < happened < end
    else:
        assert asked == {"timeRange": ["24h"]}
        assert datetime.now(UTC) - happened < timedelta(hours=24)
