"""The table at the end of `make chaos`."""

import pytest

from tests.chaos.tally import VARIABLE, judged, main, struck


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "tally.ndjson"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_faults_and_verdicts_are_added_up_by_layout(file, capsys):
    struck("embedded", "disk full")
    struck("embedded", "disk full", 2)
    judged("embedded", acknowledged=1000, lost=0, doubled=0)
    judged("embedded", acknowledged=500, lost=0, doubled=0)
    assert main(str(file)) == 0
    told = [line.split() for line in capsys.readouterr().out.replace("│", " ").splitlines()]
    assert ["disk", "full", "3", "–"] in told
    assert ["acknowledged", "1,500", "0"] in told


def test_a_lost_or_doubled_event_and_nothing_judged_are_no_success(file):
    struck("cluster", "Redis lies")
    assert main(str(file)) == 1
    judged("cluster", acknowledged=10, lost=0, doubled=1)
    assert main(str(file)) == 1


def test_a_kind_that_is_in_no_table_is_not_noted(file):
    with pytest.raises(AssertionError):
        struck("embedded", "a fault nobody has heard of")
