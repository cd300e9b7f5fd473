"""The command line: what it prints where, and how it says what is wrong."""

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner

from service.cli import headrace


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `headrace` on a data directory of its own."""
    monkeypatch.setenv("HEADRACE_DATA_DIR", str(tmp_path))
    return lambda *words: CliRunner().invoke(headrace, words, prog_name="headrace")


@pytest.fixture
def say(run):
    """As `run`, with this on stdin."""
    return lambda text, *words: CliRunner().invoke(
        headrace, words, prog_name="headrace", input=text
    )


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
    assert "for ever" in run("envs", "list").stdout
    told = run("envs", "retention", "env_default", "--days", "30").stdout
    assert re.search(r"from before \d{4}-\d\d-\d\d \(UTC\) are deleted for good", told)
    assert "for 30 days" in run("envs", "list").stdout
    assert "for ever" in run("envs", "retention", "env_default", "--for-ever").stdout


@pytest.mark.parametrize("words", [(), ("--days", "0"), ("--days", "3", "--for-ever")])
def test_how_long_an_environment_keeps_its_events_is_said_in_one_way(run, words):
    assert run("envs", "retention", "env_default", *words).exit_code == 2


def test_an_environment_that_is_not_there_keeps_nothing(run):
    refused = run("envs", "retention", "env_nobody", "--days", "3")
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


def rows(shown: str) -> list[dict[str, Any]]:
    """What `--json` printed."""
    return [json.loads(line) for line in shown.splitlines()]


def test_rotate_prints_the_new_key_alone_and_both_are_live(run):
    run("keys", "create", "--name", "collector", "--scopes", "ingest")
    (former,) = rows(run("keys", "list", "--json").stdout)
    rotated = run("keys", "rotate", former["id"], "--grace", "7d")
    assert re.fullmatch(r"evp_[\w-]{43}\n", rotated.stdout)
    first, second = rows(run("keys", "list", "--json").stdout)
    assert first["successor_id"] == second["id"]
    assert (first["expires_at"] is None, second["expires_at"]) == (False, None)
    assert second["scopes"] == ["ingest"]


@pytest.mark.parametrize("grace", ["soon", "-1d", "7", "1.5h"])
def test_a_grace_that_is_no_span_is_a_usage_error(run, grace):
    refused = run("keys", "rotate", "key_x", "--grace", grace)
    assert (refused.exit_code, grace in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [("keys", "rotate", "key_x"), ("keys", "revoke", "key_x"), ("signing", "rotate", "sgt_x")],
)
def test_what_is_not_there_is_one_line(run, words):
    refused = run(*words)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("headrace: there is no ")
    assert refused.stderr.count("\n") == 1


def test_keys_are_made_for_any_environment_by_its_name(run):
    made = run("envs", "create", "production", "--tier", "pro")
    environment = made.stdout.strip()
    run("keys", "create", "--name", "shop", "--environment", "production", "--tier", "basic")
    run("keys", "create", "--name", "home")
    (key,) = rows(run("keys", "list", "--environment", environment, "--json").stdout)
    assert (key["name"], key["tier"], key["environment_id"]) == ("shop", "basic", environment)
    assert len(rows(run("keys", "list", "--json").stdout)) == 2
    refused = run(
        "keys", "create", "--name", "k", "--environment", "production", "--tier", "enterprise"
    )
    assert (refused.exit_code, "at most the tier pro" in refused.stderr) == (1, True)


def test_a_smaller_tier_of_an_environment_is_that_of_its_keys_too(run):
    run("keys", "create", "--name", "large")
    run("keys", "create", "--name", "small", "--tier", "free")
    said = run("envs", "tier", "default", "basic").stdout
    assert said == "env_default has the tier basic; so have 1 of its keys that had a larger one\n"
    tiers = {key["name"]: key["tier"] for key in rows(run("keys", "list", "--json").stdout)}
    assert tiers == {"large": "basic", "small": "free"}


def test_names_are_shown_as_they_are(run):
    run("keys", "create", "--name", "[red]bright[/red]")
    assert "[red]bright[/red]" in run("keys", "list").stdout


def test_metrics_are_made_public_but_those_of_the_default_environment(run):
    run("envs", "create", "status")
    assert "anybody sees" in run("envs", "public", "status", "yes").stdout
    (shown,) = rows(run("envs", "show", "status", "--json").stdout)
    assert shown["public_metrics"] is True
    refused = run("envs", "public", "env_default", "yes")
    assert (refused.exit_code, "HEADRACE_PUBLIC_METRICS" in refused.stderr) == (1, True)


def test_a_user_is_made_promoted_and_deactivated(run, say):
    assert say("a good password\n", "users", "make", "ada@example.com").exit_code == 0
    assert run("users", "make", "bob@example.com", "--without-password").exit_code == 0
    assert run("users", "promote", "bob@example.com").exit_code == 0
    assert run("users", "deactivate", "ada@example.com").exit_code == 0
    ada, bob = rows(run("users", "list", "--json").stdout)
    assert (ada["is_superuser"], ada["is_active"], ada["is_verified"]) == (True, False, True)
    assert (bob["is_superuser"], bob["is_active"]) == (True, True)
    assert "password" not in ada


def test_the_last_superuser_stays(run):
    run("users", "make", "ada@example.com", "--without-password")
    for command in ("demote", "deactivate"):
        refused = run("users", command, "ada@example.com")
        assert (refused.exit_code, "last superuser" in refused.stderr) == (1, True)


@pytest.mark.parametrize("password", ["short\n", "\n", ""])
def test_a_password_that_will_not_do_makes_nobody(run, say, password):
    assert say(password, "users", "make", "ada@example.com").exit_code == 1
    assert rows(run("users", "list", "--json").stdout) == []


def test_a_signing_token_is_printed_alone_and_never_again(run):
    made = run("signing", "create", "--account", "acc1", "--workspace", "ws1", "--scheme", "hkdf")
    assert re.fullmatch(r"evt_[\w-]{43}\n", made.stdout)
    listed = run("signing", "list", "--json").stdout
    (token,) = rows(listed)
    assert made.stdout.strip() not in listed
    assert (token["account_id"], token["scheme"], token["name"]) == ("acc1", "hkdf", "acc1/ws1")
    assert run("signing", "rotate", token["id"], "--grace", "0").exit_code == 0
    assert run("signing", "revoke", token["id"]).exit_code == 0
    assert len(rows(run("signing", "list", "--json").stdout)) == 1
    refused = run("signing", "create", "--account", "a", "--workspace", "w", "--scheme", "rot13")
    assert (refused.exit_code, "hkdf" in refused.stderr) == (1, True)


def test_a_service_account_is_made_listed_and_revoked_for_a_user(run, say):
    assert say("", "users", "make", "ada@example.com", "--without-password").exit_code == 0
    nowhere = run("service-accounts", "create", "ada@example.com")
    assert (nowhere.exit_code, "name one with --environment" in nowhere.stderr) == (1, True)
    where = ("--environment", "default", "--name", "nightly")
    made = run("service-accounts", "create", "ada@example.com", *where)
    assert re.fullmatch(r"eyJ[\w-]+\.[\w-]+\.[\w-]+\n", made.stdout)
    listed = run("service-accounts", "list", "ada@example.com", "--json").stdout
    (account,) = rows(listed)
    assert account["name"] == "nightly"
    assert made.stdout.strip() not in listed
    revoked = run("service-accounts", "revoke", "ada@example.com", account["id"])
    assert revoked.exit_code == 0
    assert rows(run("service-accounts", "list", "ada@example.com", "--json").stdout) == []
    assert run("service-accounts", "list", "eve@example.com").exit_code == 1


def test_what_a_command_changed_is_in_the_log_under_who_ran_it(run):
    key = run("keys", "create", "--name", "collector").stdout.strip()
    run("envs", "retention", "env_default", "--days", "30")
    shown = run("audit", "list", "--json").stdout
    made, changed = rows(shown)
    assert (made["action"], changed["action"]) == ("key.made", "environment.retention_changed")
    assert made["by"]["kind"] == "operator"
    assert made["by"]["name"]
    assert key not in shown
    assert "key.made" in run("audit", "list", "--action", "key.").stdout
    assert rows(run("audit", "list", "--json", "--since", "2999-01-01").stdout) == []
