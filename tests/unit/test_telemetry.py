"""Telemetry: the table of series, and logs without secrets."""

import json

import structlog

from service.redaction import redact
from service.telemetry import configure_logs, events_accepted, exposition, log


def redacted(**fields):
    return redact(None, "info", {"event": "a.b", **fields})


def test_the_exposition_has_what_was_counted():
    before = events_accepted._value.get()
    events_accepted.inc(3)
    assert f"headrace_events_accepted_total {before + 3}" in exposition().decode()


def test_fields_named_like_secrets_are_masked():
    shown = redacted(api_key="x", password="x", body=b"x", login_code="123456", user="ada")
    assert shown.pop("user") == "ada"
    assert set(shown.values()) == {"a.b", "********"}


def test_secrets_inside_texts_are_masked():
    shown = redacted(reason="nats://headrace:pa55@127.0.0.1:4222 refused evp_abcdefgh1234")
    assert shown["reason"] == "nats://********127.0.0.1:4222 refused ********"
    assert redacted(reason="evt_abcdefgh1234 signs")["reason"] == "******** signs"


def test_logs_are_lines_of_json_on_stderr(capsys):
    configure_logs("json")
    log().warning("writer.gap", missing=3)
    structlog.reset_defaults()
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["missing"], line["level"]) == ("writer.gap", 3, "warning")
