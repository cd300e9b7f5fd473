"""Scenarios of load tests: as they are written, and the traffic that they make."""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from loadtests.lines import body
from loadtests.open_loop import OpenLoop
from loadtests.scenarios.traffic import asks, batches, source
from loadtests.scenarios.written import (
    Bursts,
    Read,
    Scenario,
    WrongScenario,
    found,
    parsed,
    provided,
    shortened,
)

ROOT = Path(__file__).parents[2]
SMALL = 'about = "Small"\nduration = "10s"\n[events]\nrate = 100\nbatch = 5\n'
BEGAN = 1_800_000_000.0


def sent(scenario: Scenario, run: str = "r", folder: Path = ROOT):
    return list(batches(scenario, source(scenario, folder), run, BEGAN))


def events(scenario: Scenario) -> list[dict]:
    return [e for batch in sent(scenario) for e in msgspec.json.decode(batch.body)["events"]]


@pytest.mark.parametrize("name", provided())
def test_every_scenario_that_comes_with_this_makes_traffic_for_as_long_as_it_says(name):
    scenario = shortened(parsed(found(name).read_text(), name), 2.0, None)
    made = sent(scenario)
    assert made[0].due == 0
    assert 1 < made[-1].due < 2
    assert all(len(b.fresh) == b.body.count(b'"eventId"') > 0 for b in made)


def test_a_rate_is_kept_and_the_same_seed_makes_the_same_traffic():
    scenario = parsed(SMALL, "small")
    assert len(events(scenario)) == 1000
    assert sent(scenario) == sent(scenario)
    other = msgspec.structs.replace(scenario, seed=2)
    assert events(scenario) != events(other)


def test_repeats_have_the_bytes_of_an_earlier_event_of_the_same_tenant():
    scenario = parsed(SMALL + "[repeats]\nshare = 0.3\n[tenants]\ncount = 3\n", "small")
    seen: dict[int, dict[str, dict]] = {0: {}, 1: {}, 2: {}}
    fresh = Counter()
    for batch in sent(scenario):
        for event, new in zip(msgspec.json.decode(batch.body)["events"], batch.fresh, strict=True):
            assert new != (event["eventId"] in seen[batch.tenant])
            assert new or seen[batch.tenant][event["eventId"]] == event
            seen[batch.tenant][event["eventId"]] = event
            fresh[new] += 1
    assert 200 < fresh[False] < 400


def test_late_events_happened_before_and_no_longer_ago_than_said():
    scenario = parsed(SMALL + '[late]\nshare = 1.0\nby = "2h"\n', "small")
    times = [event["timestamp"] for event in events(scenario)]
    assert "2027-01-15T06:00:00" <= min(times) < "2027-01-15T06:30:00"
    assert max(times) <= "2027-01-15T08:00:10"


def test_bursts_are_as_much_more_as_they_say_and_as_long():
    scenario = parsed(SMALL + '[bursts]\nevery = "5s"\nlasts = "1s"\ntimes = 10\n', "small")
    by_second = Counter[int]()
    for batch in sent(scenario):
        by_second[int(batch.due + 0.001)] += len(batch.fresh)
    assert by_second[4] == by_second[9] == 1000
    assert {by_second[second] for second in (0, 1, 2, 3, 5, 6, 7, 8)} == {100}


def test_skewed_tenants_have_the_traffic_of_their_rank():
    scenario = parsed(SMALL + "[tenants]\ncount = 3\nskew = 2.0\n", "small")
    first, second, third = sorted(Counter(b.tenant for b in sent(scenario)).items())
    assert first[1] > 2 * second[1] > 2 * third[1] > 0


def test_a_recording_keeps_its_rhythm_and_begins_anew_when_it_ends(tmp_path):
    event = {"eventType": "t", "userId": "u", "sessionId": "s"}
    times = [f"2026-01-01T00:{minute:02}:00Z" for minute in (0, 10, 30)]
    lines = [json.dumps({**event, "timestamp": at}) for at in times]
    (tmp_path / "three.ndjson").write_text("\n".join(lines))
    text = 'about = "Three"\nduration = "100s"\n[events]\nrecording = "three.ndjson"\nspeed = 60\n'
    made = sent(parsed(text, "three"), folder=tmp_path)
    assert [round(batch.due) for batch in made] == [0, 10, 30, 40, 60, 70, 90]
    ids = {e["eventId"] for b in made for e in msgspec.json.decode(b.body)["events"]}
    assert len(ids) == 10


def test_questions_are_due_at_their_rates():
    reads = '[[reads]]\npath = "/a"\nrate = 2\n[[reads]]\npath = "/b"\nrate = 0.5\n'
    due = list(asks(parsed(SMALL + reads, "small")))
    assert Counter(ask.read for ask in due) == {0: 19, 1: 4}
    assert [ask.due for ask in due] == sorted(ask.due for ask in due)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALL + "batc = 3\n", "`events.batc`: there is no such field; did you mean `batch`"),
        (SMALL.replace('"10s"', "10"), 'line 2: `duration`: must be a time with its unit, such as'),
        (SMALL.replace("100", '"a"'), "line 4: `events.rate`: must be a number, not a text"),
        (SMALL + 'arrivals = "evn"\n', "must be one of even, poisson; did you mean `even`?"),
        (SMALL + "[late]\nshare = 1.5\n", "line 7: `late.share`: must be a number <= 1.0"),
        (SMALL.replace("rate = 100\n", ""), "line 3: `events`: needs either `rate` or `speed`"),
        (SMALL + '[[reads]]\npath = "a"\nrate = 1\n', "line 7: `reads[0].path`: must begin with"),
        (SMALL.replace('about = "Small"', ""), "`about` is missing here"),
        (SMALL + "x = ", "at end of document"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_scenario_is_told_by_line_and_field(text, told):
    with pytest.raises(WrongScenario) as refused:
        parsed(text, "mine.toml")
    assert told in str(refused.value)
    assert str(refused.value).startswith("mine.toml")


def test_an_unknown_name_is_met_with_the_one_that_was_meant():
    with pytest.raises(WrongScenario, match="did you mean `steady`"):
        found("stedy")


def test_every_field_of_a_scenario_is_documented():
    page = (ROOT / "docs" / "loadtests.md").read_text()
    tables = [msgspec.structs.fields(Scenario)]
    parts = [field.type for field in tables[0] if hasattr(field.type, "__struct_fields__")]
    tables += [msgspec.structs.fields(part) for part in (*parts, Bursts, Read)]
    missing = [f.name for table in tables for f in table if f"`{f.name}`" not in page]
    assert missing == []


def test_what_finds_no_free_connection_is_sent_later_and_still_due_when_it_was():
    went: list[tuple[str, float]] = []
    loop: OpenLoop[str, float] = OpenLoop(lambda way, due: went.append((way, due)))
    loop.freed("a")
    for due in (1.0, 2.0, 3.0):
        loop.put(due)
    assert (went, loop.overdue) == ([("a", 1.0)], 2)
    loop.freed("a")
    loop.forget("a")
    assert (went, loop.overdue) == ([("a", 1.0), ("a", 2.0)], 1)


def test_an_answer_in_chunks_is_put_together():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b'2\r\n{"\r\n3;x=y\r\na":\r\n2\r\n1}\r\n0\r\n\r\n'
    assert body(answer, answer.index(b"\r\n\r\n")) == b'{"a":1}'
