"""What the doctor says of settings, secrets, certificates and clocks, without anything running."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.doctor.broker import _limits as limits
from service.doctor.certificate import examine_certificate
from service.doctor.clashes import examine_settings
from service.doctor.clocks import compare
from service.doctor.place import examine_place
from service.doctor.remark import Part
from service.doctor.running import judge_lag
from service.doctor.secrets import bits, examine_secrets
from service.settings import Settings, load
from service.stream.standing import Standing
from tests.certificates import write_certificate

NOW = datetime.now(UTC)
OPEN = {"API_HOST": "0.0.0.0"}
GUARDED = OPEN | {"HEADRACE_TRUSTED_PROXIES": "10.0.0.0/8"}
SECRET = "Zq3xP0vRk7-Lm2TtYc9eWb5NaUj8GhDs_F1"


def states(remarks) -> dict[str, str]:
    return {remark.about: remark.state for remark in remarks}


def test_settings_as_they_come_are_right():
    assert states(examine_settings(Settings())) == {"all": "right"}


@pytest.mark.parametrize(
    ("variables", "about", "state"),
    [
        (OPEN, "API_HOST", "wrong"),
        (GUARDED, "HEADRACE_ENV", "doubtful"),
        (GUARDED, "HEADRACE_ALLOWED_HOSTS", "doubtful"),
        (GUARDED | {"HEADRACE_PUBLIC_METRICS": "yes"}, "HEADRACE_PUBLIC_METRICS", "doubtful"),
        (GUARDED | {"PROMETHEUS_ENABLED": "true"}, "PROMETHEUS_ENABLED", "doubtful"),
        ({"HEADRACE_CRASH_AT": "door.after_publish"}, "HEADRACE_CRASH_AT", "wrong"),
        ({"METRICS_PORT": "8000"}, "METRICS_PORT", "wrong"),
        ({"HEADRACE_MAX_BODY_BYTES": "1000"}, "HEADRACE_MAX_FIELD_BYTES", "wrong"),
        ({"HEADRACE_ENV": "production", "SECRET_KEY": SECRET}, "HEADRACE_SMTP_URL", "doubtful"),
        ({"HEADRACE_CORS_ORIGINS": "*"}, "HEADRACE_CORS_ORIGINS", "doubtful"),
        ({"HEADRACE_DUPLICATE_WINDOW": "60"}, "HEADRACE_DUPLICATE_WINDOW", "doubtful"),
        ({"HEADRACE_STREAM_KEEP_SECONDS": "1"}, "HEADRACE_STREAM_KEEP_SECONDS", "doubtful"),
        ({"HEADRACE_LIVE_LISTENERS": "5"}, "HEADRACE_LIVE_PER_ENVIRONMENT", "doubtful"),
        ({"HEADRACE_BASIC_PER_MINUTE": "5"}, "HEADRACE_FREE_PER_MINUTE", "doubtful"),
        ({"QUESTDB_URL": "http://questdb:9000"}, "QUESTDB_URL", "doubtful"),
        ({"NATS_URL": "nats://a:b@n1:1,nats://n2:1,nats://n3:1"}, "NATS_URL", "doubtful"),
        ({"REDIS_URL": "redis://:pw@cache:6379"}, "REDIS_URL", "doubtful"),
    ],
)
def test_what_clashes_or_is_unsafe_is_told_with_what_to_do(variables, about, state):
    [remark] = [r for r in examine_settings(load(variables)) if r.about == about]
    assert remark.state == state
    assert remark.advice


def test_one_copy_on_a_cluster_is_told():
    servers = {"NATS_URL": "nats://n1:1,nats://n2:1,nats://n3:1"}
    assert states(examine_settings(load(servers))) == {"all": "right"}
    alone = load(servers | {"HEADRACE_STREAM_REPLICAS": "1"})
    assert states(examine_settings(alone)) == {"HEADRACE_STREAM_REPLICAS": "doubtful"}


@pytest.mark.parametrize(
    ("secret", "state"),
    [(SECRET, "right"), ("a" * 64, "wrong"), ("change-me-secret-change-me-secret-1", "wrong")],
)
def test_a_secret_that_can_be_guessed_is_wrong(tmp_path, secret, state):
    settings = Settings(secret_key=secret, data_dir=tmp_path)
    assert states(examine_secrets(settings)) == {"SECRET_KEY": state}


def test_passwords_in_urls_are_judged_and_never_told(tmp_path):
    url = "postgresql://headrace:hunter2@db/headrace"
    settings = Settings(postgres_url=url, data_dir=tmp_path)
    remark = next(iter(examine_secrets(settings)))
    assert (remark.about, remark.state) == ("POSTGRES_URL's password", "wrong")
    assert "hunter2" not in repr(remark)


def test_a_file_with_a_secret_that_others_can_read_is_wrong(tmp_path):
    (tmp_path / "secret_key").write_text(SECRET)
    (tmp_path / "secret_key").chmod(0o644)
    assert states(examine_secrets(Settings(data_dir=tmp_path)))["secret_key"] == "wrong"
    (tmp_path / "secret_key").chmod(0o600)
    assert states(examine_secrets(Settings(data_dir=tmp_path)))["files"] == "right"


def test_known_words_add_nothing_to_a_secret():
    assert bits("headrace-secret") < 4
    assert bits("") == 0


@pytest.mark.parametrize(
    ("days", "state"), [(0, "right"), (20, "doubtful"), (31, "wrong")], ids=["new", "soon", "ended"]
)
def test_a_certificate_is_told_before_it_ends(tmp_path, days, state):
    chain, key = write_certificate(tmp_path)
    settings = Settings(tls_cert=str(chain), tls_key=str(key))
    found = states(examine_certificate(settings, NOW + timedelta(days=days)))
    assert (found["files"], found["age"]) == ("right", state)


def test_a_certificate_for_another_name_or_with_another_key_is_wrong(tmp_path):
    chain, key = write_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, strange = write_certificate(other)
    named = Settings(tls_cert=str(chain), tls_key=str(key), allowed_hosts="a.example.com")
    assert states(examine_certificate(named, NOW))["names"] == "wrong"
    unfit = Settings(tls_cert=str(chain), tls_key=str(strange))
    assert states(examine_certificate(unfit, NOW)) == {"files": "wrong"}


@pytest.mark.parametrize(
    ("theirs", "state"), [(1_050, "right"), (6_000, "doubtful"), (-60_000, "wrong")]
)
def test_a_clock_is_compared_with_the_span_in_which_it_was_read(theirs, state):
    assert compare(Part("stream"), theirs, 1_000, 1_100).state == state


def test_a_data_directory_that_is_not_there_is_wrong(tmp_path):
    assert states(examine_place(Settings(data_dir=tmp_path / "none"))) == {"folder": "wrong"}


def a_standing(**fields) -> Standing:
    usual = {"version": "2", "max_payload": 2**25, "clock": 0, "bytes": 0, "max_bytes": 100}
    more = {"last_sequence": 0, "duplicate_window": 3600, "replicas": 3, "behind": 0}
    return Standing(**usual | more | {"dead_letters": 0} | fields)


@pytest.mark.parametrize(
    ("fields", "about", "state"),
    [
        ({}, "room", "right"),
        ({"bytes": 85}, "room", "doubtful"),
        ({"bytes": 96}, "room", "wrong"),
        ({}, "copies", "right"),
        ({"behind": 1}, "copies", "wrong"),
        ({"max_payload": 2**20}, "message size", "doubtful"),
        ({"duplicate_window": 120}, "repeats", "doubtful"),
        ({"dead_letters": 2}, "dead letters", "doubtful"),
    ],
)
def test_what_the_broker_says_of_itself_is_judged(fields, about, state):
    remarks = limits(Settings(nats_url="nats://there", data_dir=Path()), a_standing(**fields))
    assert states(remarks)[about] == state


@pytest.mark.parametrize(("now", "state"), [(9, "right"), (5, "doubtful"), (3, "wrong")])
def test_a_store_behind_the_stream_is_wrong_unless_it_moves(now, state):
    assert judge_lag(3, now, 9).state == state
