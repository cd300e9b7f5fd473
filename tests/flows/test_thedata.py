"""What comes in by the thedata face is what all faces count: through a running service."""

import secrets
from typing import Any

from tests.running import RunningService

DAY = {"start": "2024-02-12T00:00:00Z", "end": "2024-02-13T00:00:00Z"}


def an_event(**changes: Any) -> dict[str, Any]:
    return {"event_type": "view", "timestamp": "2024-02-12T10:00:00Z", "source": "web", **changes}


def metrics(service: RunningService, event_type: str, after: str) -> Any:
    answer = service.get("/api/v1/analytics/metrics", **DAY, eventType=event_type, after=after)
    return answer.json()["data"]


def test_events_sent_by_both_faces_and_again_are_counted_once(running_service: RunningService):
    kind = f"view-{secrets.token_hex(4)}"
    batch = [
        an_event(event_type=kind, event_id=f"{kind}-{n}", user_id="ada", session_id="s1")
        for n in range(5)
    ]
    nobodys = [an_event(event_type=kind, event_id=f"{kind}-nobody")]
    for _ in range(2):
        assert running_service.post("/v1/ingest/events/batch", batch).status_code == 202
    same = {"eventType": kind, "eventId": f"{kind}-0", "userId": "ada", "sessionId": "s1"}
    running_service.post("/api/v1/events", {**same, "timestamp": batch[0]["timestamp"]})
    last = running_service.post("/v1/ingest/events/batch", nobodys).json()
    counted = metrics(running_service, kind, last["receipt"])
    assert (counted["totalEvents"], counted["uniqueUsers"], counted["uniqueSessions"]) == (6, 1, 1)
    assert [user["userId"] for user in counted["topUsers"]] == ["ada"]


def test_a_single_event_and_its_retry_are_one(running_service: RunningService):
    kind = f"click-{secrets.token_hex(4)}"
    event = an_event(event_type=kind, user_id="ada")
    answers = [
        running_service.post("/v1/ingest/events", event, **{"idempotency-key": kind}).json()
        for _ in range(2)
    ]
    assert answers[0]["event_id"] == answers[1]["event_id"]
    assert metrics(running_service, kind, answers[1]["receipt"])["totalEvents"] == 1


def test_values_of_metric_points_are_summed_up(running_service: RunningService):
    name = f"load_{secrets.token_hex(4)}"
    point = {"name": name, "timestamp": "2024-02-12T10:00:00Z", "labels": {"host": "a"}}
    points = [{**point, "value": value} for value in (1, 2.5, -4)]
    taken = running_service.post("/v1/ingest/metrics", points).json()
    answer = running_service.get(
        "/api/v1/analytics/numbers", **DAY, name=name, after=taken["receipt"]
    )
    (row,) = answer.json()["data"]["rows"]
    assert (row["count"], row["sum"], row["min"], row["max"]) == (3, -0.5, -4, 2.5)
