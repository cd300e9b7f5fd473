"""The examples of docs/client.md, run as a user's scripts against a running service."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tables import ROOT
from tests.running import RunningService

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "client.md").read_text(), re.S)
PRINTED = [
    r"1 1\n",
    r"1000 1000 0 0\n",
    r"1\n",
    r"user-0 72\nuser-1 72\nuser-2 72\n(user-\d 7[12]\n){4}",
    r"1002\n",
    r"",
    r"1 \['rec_\w+'\]\n",
]
AT_THE_END = """
import os
from headrace import BlockingClient, Event, ProducerOptions
client = BlockingClient(
    os.environ["HEADRACE_URL"].replace("127.0.0.1", "localhost"), os.environ["HEADRACE_KEY"],
    producer=ProducerOptions(linger=60, spool="at-the-end", fsync="always"),
)
client.put(Event(event_type="end", user_id="ada", session_id="s", timestamp="2026-01-02T00:00:00Z"))
"""


@pytest.fixture
def variables(running_service: RunningService) -> dict[str, str]:
    wanted = ["--account", "acc1", "--workspace", "ws1"]
    made = running_service.headrace("signing", "create", *wanted)
    return {
        "HEADRACE_URL": running_service.base_url,
        "HEADRACE_KEY": running_service.api_key,
        "HEADRACE_SIGNING_TOKEN": made.stdout.strip(),
    }


def run(script: str, folder: Path, variables: dict[str, str]) -> str:
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_each_example_does_what_it_is_there_for(variables: dict[str, str], tmp_path: Path):
    printed = [run(example, tmp_path, variables) for example in EXAMPLES]
    assert len(printed) == len(PRINTED)
    for said, wanted in zip(printed, PRINTED, strict=True):
        assert re.fullmatch(wanted, said), said


def test_what_a_script_put_is_sent_when_it_ends(
    running_service: RunningService, variables: dict[str, str], tmp_path: Path
):
    assert run(AT_THE_END, tmp_path, variables) == ""
    asked = {"eventType": "end", "start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
    kept = running_service.post("/api/v1/events/batch?ack=stored", {"events": [AN_EVENT]})
    asked["after"] = kept.json()["data"]["receipt"]
    answer = running_service.get("/api/v1/analytics/metrics", **asked).json()
    assert answer["data"]["totalEvents"] == 1
    assert list((tmp_path / "at-the-end").glob("*.events")) == []


AN_EVENT = {
    "eventType": "other",
    "userId": "ada",
    "sessionId": "s",
    "timestamp": "2026-01-02T00:00:00Z",
}
