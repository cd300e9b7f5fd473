"""`headrace query` against a running service."""

import json

import pytest

from tests.running import RunningService
from tests.system.test_up import an_event


@pytest.fixture(scope="module")
def counted(running_service: RunningService) -> RunningService:
    """The service, with three events of a type that nobody else sends."""
    body = [{**an_event(f"asked-{n}"), "eventType": "asked", "userId": f"u{n}"} for n in range(3)]
    sent = running_service.post("/api/v1/events/batch", {"events": body}).json()["data"]
    running_service.get("/api/v1/analytics/metrics", after=sent["receipt"])
    return running_service


def lines(service: RunningService, *words: str) -> list[str]:
    asked = service.headrace("query", *words)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.splitlines()


def test_the_answer_is_a_table_with_bars(counted):
    shown = "\n".join(lines(counted, "--by", "type", "--filter", "type is asked", "-m", "events"))
    assert "asked" in shown
    assert "█" in shown
    assert "rows read" in shown


@pytest.mark.parametrize("interval", ["hour", "day", "6h"])
def test_in_time_it_is_drawn_with_sparks(counted, interval):
    words = ("--by", "type", "--interval", interval, "-f", "type is asked")
    assert "█" in "\n".join(lines(counted, *words))


def test_the_rows_come_as_csv_json_or_ndjson(counted):
    words = ("--by", "type", "-f", "type is asked", "-m", "events", "-m", "users")
    assert lines(counted, *words, "--format", "csv")[1].startswith('"asked",3,3')
    assert json.loads(lines(counted, *words, "--format", "ndjson")[0])["users"] == 3
    [document] = lines(counted, *words, "--format", "json")
    assert json.loads(document)["rows"][0]["metrics"] == {"events": 3, "users": 3}


def test_sql_is_asked_with_a_key_of_its_own(counted):
    query = "SELECT event_type, count(*) AS n FROM events WHERE event_type = $t GROUP BY 1"
    words = ("--sql", query, "--param", "t=asked")
    assert lines(counted, *words, "--format", "csv")[1].startswith('"asked",3')
    assert "asked" in "\n".join(lines(counted, *words))


def test_a_query_comes_from_a_file(counted, tmp_path):
    filters = [{"op": "is", "field": "eventType", "value": "asked"}]
    path = tmp_path / "question.json"
    path.write_text(json.dumps({"metrics": ["users"], "filters": filters}))
    [document] = lines(counted, str(path), "--format", "json")
    assert json.loads(document)["rows"][0]["metrics"] == {"users": 3}


@pytest.mark.parametrize(
    ("words", "about", "code"),
    [
        (("-m", "event"), "did you mean `events`", 1),
        (("-f", "type iz login"), "no operator", 1),
        (("--sql", "SELECT nope FROM events"), "line 1, column 8: there is no column nope", 1),
        (("--sql", "SELECT 1", "--url", "http://127.0.0.1:1"), "--api-key", 2),
        (("--url", "http://127.0.0.1:1", "--api-key", "evp_x"), "127.0.0.1:1", 1),
        (("--range", "7y"), "`range` must be", 1),
    ],
)
def test_what_is_wrong_is_told_in_one_line(counted, words, about, code):
    asked = counted.headrace("query", *words)
    assert asked.returncode == code
    assert about in " ".join(asked.stderr.split())
    assert "Traceback" not in asked.stderr


def test_without_a_service_it_says_how_to_start_one(new_service):
    asked = new_service().headrace("query")
    assert asked.returncode == 1
    assert "headrace up" in asked.stderr
