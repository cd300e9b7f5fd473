"""What answers mean, and how much of their words a report repeats."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from service.delivery.answers import LONGEST_MESSAGE, Answer, each, hide, seconds_asked, verdict
from service.delivery.outcomes import Retry, Stopped, Verdict

RETRIED = (429, 500, 502, 503, 504)


def an_answer(status: int, body: bytes = b"{}", kind: str = "application/json", **headers: str):
    return Answer(status, {"content-type": kind, **headers}, body)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (an_answer(200), "created"),
        (an_answer(201, b"<html>", "text/html"), "created"),
        (an_answer(200, b"OK", "text/plain"), "created"),
        (an_answer(204, b""), "created"),
        (an_answer(409), "duplicate"),
        (an_answer(400), "rejected"),
        (an_answer(422), "rejected"),
        (an_answer(501), "failed"),
        (an_answer(200, b'{"error": "validation_error", "status_code": 400}'), "rejected"),
    ],
)
def test_a_status_decides_about_the_row(answer: Answer, outcome: str):
    assert verdict(answer, RETRIED).outcome == outcome


@pytest.mark.parametrize(
    "answer",
    [
        an_answer(500),
        an_answer(408),
        an_answer(429),
        an_answer(200, b'{"id": '),
        an_answer(200, b"<html>log in", "text/html"),
        an_answer(200, b'{"error": "api_error", "status_code": 500}'),
    ],
)
def test_what_may_be_better_later_is_tried_again(answer: Answer):
    with pytest.raises(Retry):
        verdict(answer, RETRIED)


@pytest.mark.parametrize("status", [301, 308, 401, 403, 404, 405])
def test_what_every_row_would_hear_stops_the_delivery(status: int):
    with pytest.raises(Stopped, match=str(status)):
        verdict(an_answer(status), RETRIED)


def test_statuses_to_retry_are_those_of_the_configuration():
    assert verdict(an_answer(503), [500]) == Verdict("failed", 503, "answered 503")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "name is too long"}', "name is too long"),
        (b'{"error": {"code": "X", "message": "no"}}', "no"),
        (b'{"error": "invalid", "message": "no name"}', "no name"),
        (b'{"detail": [{"loc": ["body", "name"], "msg": "required"}]}', "required"),
        (b'{"errors": ["one", "two"]}', "one; two"),
        (b"just\na text", "just a text"),
        (b"", "answered 422"),
    ],
)
def test_the_words_of_the_api_are_found(body: bytes, said: str):
    assert said in verdict(an_answer(422, body), RETRIED).reason


def test_a_report_repeats_neither_addresses_nor_what_is_hidden_nor_novels():
    said = hide("ada.lovelace@example.com in Marylebone " + "x" * 900, ["Marylebone"])
    assert said.startswith("ad*** in *** xxx")
    assert len(said) == LONGEST_MESSAGE


def test_retry_after_is_seconds_or_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert seconds_asked("7") == 7
    assert 0 < seconds_asked(later) <= 90
    assert [seconds_asked(text) for text in ("", "soon", "-3")] == [0, 0, 0]


def test_a_list_tells_of_each_row_only_if_it_has_one_status_for_each():
    told = an_answer(207, b'{"results": [{"status": 201}, {"status": 422, "message": "no"}]}')
    assert [verdict(one, RETRIED).outcome for one in each(told, 2) or []] == ["created", "rejected"]
    assert each(told, 3) is None
    assert each(an_answer(200, b"[1, 2]"), 2) is None
