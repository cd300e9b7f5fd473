"""The command line: what it prints where, and how it says what is wrong."""

import re

import pytest
from click.testing import CliRunner

from service.cli import headrace


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `headrace` on a data directory of its own."""
    monkeypatch.setenv("HEADRACE_DATA_DIR", str(tmp_path))
    return lambda *words: CliRunner().invoke(headrace, words, prog_name="headrace")


def test_create_prints_the_key_alone_on_stdout(run):
    made = run("keys", "create", "--name", "collector")
    assert made.exit_code == 0
    assert re.fullmatch(r"evp_[\w-]{43}\n", made.stdout)


def test_a_key_is_listed_without_its_text_and_revoked_by_its_id(run):
    text = run("keys", "create", "--name", "collector", "--scopes", "read, ingest").stdout.strip()
    listed = run("keys", "list").stdout
    assert text not in listed
    assert "ingest,read" in listed
    key_id = re.search(r"key_\w+", listed)[0]
    assert run("keys", "revoke", key_id).exit_code == 0
    assert key_id not in run("keys", "list").stdout
    assert "revoked" in run("keys", "list", "--all").stdout


def test_nobody_can_be_signed_out_who_is_not_there(run):
    refused = run("users", "sign-out", "ada@example.com")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "headrace: there is no user ada@example.com\n",
    )


@pytest.mark.parametrize("when", ["30d", "12h", "90m", "2999-01-01", "2999-01-01T10:00:00+02:00"])
def test_a_key_can_expire_after_a_span_or_at_a_time(run, when):
    assert run("keys", "create", "--name", "k", "--expires", when).exit_code == 0
    assert "live until" in run("keys", "list").stdout


@pytest.mark.parametrize("when", ["soon", "30", "30y", "-1d", "2001-01-01", "2999-13-01"])
def test_an_end_that_is_none_or_has_gone_by_is_a_usage_error(run, when):
    refused = run("keys", "create", "--name", "k", "--expires", when)
    assert refused.exit_code == 2
    assert when in refused.stderr
    assert run("keys", "list").stdout.count("\n") == 1


def test_an_environment_keeps_its_events_as_long_as_it_is_told(run):
    assert "for ever" in run("environments", "list").stdout
    told = run("environments", "retention", "env_default", "--days", "30").stdout
    assert re.search(r"from before \d{4}-\d\d-\d\d \(UTC\) are deleted for good", told)
    assert "for 30 days" in run("environments", "list").stdout
    assert "for ever" in run("environments", "retention", "env_default", "--for-ever").stdout


@pytest.mark.parametrize("words", [(), ("--days", "0"), ("--days", "3", "--for-ever")])
def test_how_long_an_environment_keeps_its_events_is_said_in_one_way(run, words):
    assert run("environments", "retention", "env_default", *words).exit_code == 2


def test_an_environment_that_is_not_there_keeps_nothing(run):
    refused = run("environments", "retention", "env_nobody", "--days", "3")
    assert refused.stderr == "headrace: there is no environment env_nobody\n"


def test_an_error_is_one_line_on_stderr_and_exit_code_1(run):
    refused = run("keys", "revoke", "key_nobody")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "headrace: there is no key key_nobody\n"


def test_a_wrong_setting_is_one_line_on_stderr_and_exit_code_2(run, monkeypatch):
    monkeypatch.setenv("API_PORT", "eight")
    refused = run("settings")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("headrace: API_PORT 'eight'")
    assert refused.stderr.count("\n") == 1


def test_a_data_directory_that_cannot_be_made_is_one_line(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HEADRACE_DATA_DIR", str(tmp_path / "file"))
    refused = run("keys", "list")
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1


def test_replay_without_a_service_says_how_to_start_one(run, tmp_path):
    (tmp_path / "events.ndjson").write_text("{}")
    refused = run("replay", str(tmp_path / "events.ndjson"))
    assert refused.exit_code == 1
    assert "headrace up" in refused.stderr


def test_replay_to_a_far_service_needs_a_key(run, tmp_path):
    refused = run("replay", "flights-2013", "--url", "http://127.0.0.1:1")
    assert refused.exit_code == 2
    assert "--api-key" in refused.stderr


def test_settings_are_printed_one_a_line_with_their_secrets_masked(run, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hush")
    shown = run("settings").stdout
    assert "API_PORT=8000\n" in shown
    assert "SECRET_KEY=********\n" in shown
