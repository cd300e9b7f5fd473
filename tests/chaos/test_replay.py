"""A replay that a kill cuts short, and that is done again, counts each of its events once."""

from tests.chaos.clients import Ledger, make_events
from tests.chaos.judge import assert_counted_once, wait_until_counted

EVENTS = 20_000


def test_a_replay_outlives_the_service_it_sends_to(new_service, dice, tmp_path):
    service, ledger = new_service().start(), Ledger()
    replaying = service.begin("replay", recorded(tmp_path, ledger, dice), "--rate", "5000")
    wait_until_counted(service, dice.randrange(500, 8000))
    service.kill()
    service.start()
    assert replaying.wait(60) == 0, service.last_words()
    assert_counted_once(service, ledger)


def test_a_replay_begun_anew_after_all_was_killed_counts_once(new_service, dice, tmp_path):
    service, ledger = new_service().start(), Ledger()
    path = recorded(tmp_path, ledger, dice)
    replaying = service.begin("replay", path, "--rate", "5000")
    wait_until_counted(service, dice.randrange(500, 8000))
    replaying.kill()
    service.kill()
    assert replaying.wait(10) != 0, "it was done before the kill"
    again = service.start().headrace("replay", path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_counted_once(service, ledger)


def recorded(folder, ledger, dice):
    """A file of events; the ledger expects them all."""
    events = make_events(dice, "recorded", EVENTS)
    ledger.sent = {event.id: event for event in events}
    ledger.acknowledged = set(ledger.sent)
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(event.document for event in events))
    return str(path)
