"""An environment's dead letters: looked at, mended and let go by who owns it, over HTTP."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.whole import Whole, the_whole_service

LETTERS = "/api/v1/dead-letters"
KEY = "evp_a-key-of-the-tests-of-dead-letters-0123"
JUNK = '{"eventType": "paid"} and no batch'
EVENT = {
    "eventType": "paid",
    "userId": "ada",
    "sessionId": "s",
    "timestamp": "2026-01-02T12:00:00Z",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder: Path = tmp_path_factory.mktemp("letters") / "data"
    with the_whole_service(folder, bootstrap_api_key=KEY) as whole:
        yield whole


def call(whole: Whole, method: str, path: str, **more: Any) -> httpx2.Response:
    headers = {"x-api-key": KEY}
    return httpx2.request(method, whole.url + path, headers=headers, timeout=30, **more)


def letters(whole: Whole) -> list[dict[str, Any]]:
    return list(call(whole, "GET", LETTERS).json()["data"]["deadLetters"])


def once(found: Callable[[], Any]) -> Any:
    """What is found, when there is something."""
    deadline = time.monotonic() + 60
    while not (there := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return there


def put_aside(whole: Whole, name: str) -> dict[str, Any]:
    """A message that no version writes, once the writer has put it aside."""
    publish = whole.parts.stream.publish("env_default", name, JUNK.encode(), 10)
    whole.run(publish)
    return dict(once(lambda: letters(whole))[-1])


def test_a_letter_says_what_stands_in_it_and_why_it_is_there(whole):
    letter = put_aside(whole, "told")
    assert (letter["text"], letter["bytes"], letter["events"]) == (JUNK, len(JUNK), 0)
    assert "unknown form" in letter["reason"]
    assert call(whole, "DELETE", f"{LETTERS}/{letter['number']}").status_code == 204
    assert call(whole, "DELETE", f"{LETTERS}/{letter['number']}").status_code == 404
    assert letters(whole) == []


def total(whole: Whole, receipt: str) -> int:
    asked = {"start": "2026-01-02", "end": "2026-01-03", "after": receipt}
    answer = call(whole, "GET", "/api/v1/analytics/metrics", params=asked)
    return int(answer.json()["data"]["totalEvents"])


def test_events_in_its_place_are_counted_once_though_two_send_them_at_once(whole):
    letter = put_aside(whole, "mended")
    path, body = f"{LETTERS}/{letter['number']}/replay", {"events": [EVENT, EVENT]}
    with ThreadPoolExecutor() as two:
        sent = list(two.map(lambda _: call(whole, "POST", path, json=body), range(2)))
    assert {answer.status_code for answer in sent} <= {200, 404}
    receipts = [answer.json()["data"]["receipt"] for answer in sent if answer.is_success]
    assert total(whole, receipts[-1]) == len(body["events"])
    assert letters(whole) == []


def test_a_wrong_event_leaves_the_letter_where_it_is(whole):
    letter = put_aside(whole, "kept")
    path = f"{LETTERS}/{letter['number']}/replay"
    wrong = call(whole, "POST", path, json={"events": [EVENT, {**EVENT, "userId": ""}]})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["details"]["rejected"][0]["index"] == 1
    assert letter in letters(whole)


def test_a_letter_sent_as_it_is_comes_back_under_another_number(whole):
    letter = put_aside(whole, "returned")
    path = f"{LETTERS}/{letter['number']}/replay"
    assert call(whole, "POST", path).status_code == 200
    once(lambda: [one for one in letters(whole) if one["number"] > letter["number"]])
    assert letter["number"] not in [one["number"] for one in letters(whole)]


@pytest.mark.parametrize("number", ["x", "-1", "1e3", "9" * 30])
def test_what_is_no_number_is_refused(whole, number):
    assert call(whole, "DELETE", f"{LETTERS}/{number}").status_code == 400
