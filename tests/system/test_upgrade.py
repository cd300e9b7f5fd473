"""The data directory that the first runnable commit (f091a00) left is opened and added to.

`tests/released/first.tar.xz` has it whole: events, accounts, secret, and the broker's own files.
"""

import tarfile

from tests.house.tables import ROOT
from tests.system.test_up import an_event, stored

FIRST = ROOT / "tests" / "released" / "first.tar.xz"
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Python 3.11.4 and later ask for it."""
ITS_KEY = "a-key-of-first-for-tests"
ITS_EVENTS = {"first-0", "first-1", "first-2"}


def test_the_first_data_directory_goes_on_with_todays_program(new_service):
    service = new_service()
    service.api_key = ITS_KEY
    with tarfile.open(FIRST) as kept:
        kept.extractall(service.data_dir, **SAFELY)
    service.start()
    again = [an_event(event_id, timestamp="2026-01-02T03:04:05Z") for event_id in ITS_EVENTS]
    answer = service.post("/api/v1/events/batch?ack=stored", {"events": [*again, an_event("new")]})
    assert answer.status_code == 202, answer.text
    counted = service.get("/api/v1/events/stats", key=ITS_KEY).json()["data"]
    assert counted["totalIngested"] == len(ITS_EVENTS) + 1
    assert service.headrace("verify").returncode == 0
    assert not list(service.logged("writer.new_epoch"))
    assert service.stop() == 0
    assert sorted(stored(service)) == sorted({*ITS_EVENTS, "new"})
