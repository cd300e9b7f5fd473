"""What is masked: by the name of its field, by its form, and because this process knows it."""

import json
import logging

import pytest
import structlog

from service.redaction import know, masked, redact
from service.settings import Settings
from service.telemetry import configure_logs


@pytest.fixture(autouse=True)
def nothing_known():
    yield
    know(())
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "secret",
    [
        "evp_abcdefgh1234",
        "evs_abcdefgh1234",
        "Bearer abc",
        "Basic abc",
        "eyJabc.def.ghi",
        "HMAC-SHA256 v=1,key=key_1,time=1,nonce=n,signature=s",
        "ada:p@ss@",
    ],
)
def test_what_looks_like_a_secret_is_masked(secret):
    assert secret not in masked(f"refused nats://{secret} today")
    assert masked(f"refused nats://{secret} today").endswith(" today")


def test_each_url_of_a_list_loses_its_password_and_keeps_its_host():
    shown = masked("nats://u:p@one:4222,nats://u:p@two:4222")
    assert "u:p" not in shown
    assert "one:4222" in shown
    assert "two:4222" in shown


def test_the_secrets_of_the_settings_are_masked_wherever_they_turn_up():
    settings = Settings(
        secret_key="the secret key",
        former_secret_keys="former one, former two",
        postgres_url="postgresql://ada:p%40ssword@host/db",
        smtp_url="smtp://host",
    )
    know(settings.secrets)
    for secret in ("the secret key", "former one", "former two", "p%40ssword", "p@ssword"):
        assert masked(f"so: {secret}!") == "so: ********!"
    assert masked("host") == "host"


def test_a_secret_of_a_few_letters_is_not_masked_out_of_words():
    know(["a", "abc"])
    assert masked("abcdef") == "abcdef"


@pytest.mark.parametrize("field", ["x_api_key", "Authorization", "signature", "nonce", "sign_code"])
def test_fields_named_like_secrets_are_masked_however_deep(field):
    said = redact(None, "info", {"event": "a.b", "request": [{"headers": {field: "x"}}]})
    assert said["request"] == [{"headers": {field: "********"}}]


def test_what_libraries_warn_of_is_in_our_log_without_secrets(capsys):
    configure_logs("json", ["hush hush"])
    try:
        raise OSError("no way to nats://ada:pa55@host, hush hush")
    except OSError:
        logging.getLogger("some.library").warning("gave up: %s", "hush hush", exc_info=True)
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["library"]) == ("library.logged", "some.library")
    assert "no way to nats" in line
    assert [secret for secret in ("hush hush", "pa55") if secret in line] == []
