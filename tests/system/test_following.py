"""A batch is followed from the door to the insert, by ids alone."""

from tests.system.test_up import an_event

HUSH = ["ada-who-is-nobodys-business", "hush-in-a-payload", "hush-in-metadata", "s-hush"]


def test_the_log_leads_from_a_request_to_the_insert_and_tells_nothing_of_the_events(new_service):
    service = new_service(HEADRACE_LOG_LEVEL="debug").start()
    user, payload, metadata, session = HUSH
    more = {"payload": {"a": payload}, "metadata": {"b": metadata}, "sessionId": session}
    event = an_event("followed", userId=user) | more
    headers = {"x-request-id": "follow-me"}
    answer = service.post("/api/v1/events/batch?ack=stored", {"events": [event]}, **headers)
    assert (answer.status_code, answer.headers["x-request-id"]) == (202, "follow-me")
    service.wait_for_log("writer.group.stored")
    [door] = [e for e in service.logged("ingest.accepted") if e["request_id"] == "follow-me"]
    assert door["receipt"] == answer.json()["data"]["receipt"]
    [stored] = [e for e in service.logged("writer.group.stored") if "follow-me" in e["requests"]]
    assert stored["first_position"] <= door["position"] <= stored["last_position"]
    written = service.log.read_text()
    assert [secret for secret in [*HUSH, service.api_key] if secret in written] == []


def test_batches_are_not_logged_unless_asked_for(running_service):
    running_service.post("/api/v1/events/batch?ack=stored", {"events": [an_event("unfollowed")]})
    assert not list(running_service.logged("ingest.accepted"))
