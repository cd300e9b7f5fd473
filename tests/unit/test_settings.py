"""Settings: read once, refused when wrong, shown without their secrets."""

from pathlib import Path

import pytest

from service.errors import SettingsError
from service.settings import FIELDS, Settings, load, resolved


def test_nothing_set_gives_the_defaults():
    assert load({}) == Settings()


def test_an_empty_variable_counts_as_unset():
    assert load({"API_PORT": ""}).port == Settings().port


def test_values_are_converted_to_their_types():
    settings = load({"API_PORT": "9000", "HEADRACE_STRICT": "true", "HEADRACE_DATA_DIR": "kept"})
    assert (settings.port, settings.strict, settings.data_dir) == (9000, True, Path("kept"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("API_PORT", "eight"),
        ("API_PORT", "0"),
        ("API_PORT", "65536"),
        ("HEADRACE_ENV", "staging"),
        ("HEADRACE_STRICT", "perhaps"),
        ("HEADRACE_DEDUPE_IDS", "-1"),
        ("HEADRACE_COALESCE_SECONDS", "soon"),
    ],
)
def test_a_wrong_value_is_refused_by_name(variable, value):
    with pytest.raises(SettingsError, match=variable):
        load({variable: value})


def test_a_name_that_is_no_setting_is_refused_so_that_a_typo_is_seen():
    with pytest.raises(SettingsError, match="HEADRACE_DATADIR"):
        load({"HEADRACE_DATADIR": "data"})


@pytest.mark.parametrize("variable", ["CLICKHOUSE_URL", "REDIS_URL", "POSTGRES_URL"])
def test_a_part_that_this_version_cannot_use_is_refused(variable):
    with pytest.raises(SettingsError, match=variable):
        load({variable: "engine://host"})


def test_production_needs_a_secret_key():
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        load({"HEADRACE_ENV": "production"})
    assert load({"HEADRACE_ENV": "production", "SECRET_KEY": "s" * 32}).secret_key == "s" * 32


def test_the_error_about_a_secret_does_not_tell_it():
    for variable, field in FIELDS.items():
        if field.metadata["secret"]:
            assert "hush" not in str(_refusal({variable: "hush", "API_PORT": "x"}))


def _refusal(environ):
    with pytest.raises(SettingsError) as refused:
        load(environ)
    return refused.value


def test_secrets_are_masked_and_urls_keep_their_host():
    shown = resolved(
        Settings(
            secret_key="hush", nats_url="nats://ada:hush@broker:4222", bootstrap_api_key="hush"
        )
    )
    assert "hush" not in " ".join(shown.values())
    assert shown["NATS_URL"] == "nats://***@broker:4222"


def test_every_setting_is_shown_under_its_variable():
    assert list(resolved(Settings())) == list(FIELDS)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)]
)
def test_only_loopback_is_loopback(host, local):
    assert Settings(host=host).on_loopback is local
