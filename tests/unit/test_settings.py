"""Settings: read once, refused when wrong, shown without their secrets."""

from pathlib import Path

import pytest

from service.errors import SettingsError
from service.settings import FIELDS, Settings, check_apart, load, resolved


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


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("NATS_URL", "http://broker:4222"),
        ("NATS_URL", "nats://broker:4222,broker2:4222"),
        ("NATS_URL", "nats://broker:port"),
        ("CLICKHOUSE_URL", "clickhouse://host:9000"),
        ("CLICKHOUSE_URL", "http:///database"),
        ("CLICKHOUSE_URL", "chdb://folder"),
        ("REDIS_URL", "memcached://host"),
        ("POSTGRES_URL", "sqlite:///file"),
        ("POSTGRES_URL", "hush"),
    ],
)
def test_a_url_that_its_part_cannot_use_is_refused_by_name(variable, url):
    with pytest.raises(SettingsError, match=variable):
        load({variable: url})


def test_urls_of_every_form_are_taken():
    load({"NATS_URL": "nats://a:b@one:4222, tls://two", "REDIS_URL": "rediss://:hush@cache:6379/1"})
    load(
        {"CLICKHOUSE_URL": "https://ada:hush@store:8443/events", "POSTGRES_URL": "postgres://db/h"}
    )
    load({"CLICKHOUSE_URL": "chdb:///var/lib/headrace"})


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail.example.com", "smtp://"])
def test_letters_leave_by_smtp_alone(url):
    with pytest.raises(SettingsError, match="HEADRACE_SMTP_URL"):
        load({"HEADRACE_SMTP_URL": url})
    assert load({"HEADRACE_SMTP_URL": "smtps://ada:hush@mail.example.com"}).smtp_url


@pytest.mark.parametrize("text", ["proxy", "10.0.0.0/33", "10.0.0.1;10.0.0.2"])
def test_proxies_are_addresses_or_networks(text):
    with pytest.raises(SettingsError, match="HEADRACE_TRUSTED_PROXIES"):
        load({"HEADRACE_TRUSTED_PROXIES": text})
    assert load({"HEADRACE_TRUSTED_PROXIES": "10.0.0.1, fd00::/8,"}).trusted_proxies


def test_former_secrets_are_a_list():
    assert load({"HEADRACE_FORMER_SECRET_KEYS": "one, two,"}).former_secrets == ["one", "two"]


def test_three_brokers_keep_three_copies_unless_told_otherwise():
    three = "nats://one,nats://two,nats://three"
    assert load({"NATS_URL": three}).replicas == 3
    assert load({"NATS_URL": "nats://one"}).replicas == 1
    assert load({"NATS_URL": three, "HEADRACE_STREAM_REPLICAS": "1"}).replicas == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HEADRACE_STREAM_REPLICAS", "3"), ("HEADRACE_CLICKHOUSE_CLUSTER", "main")],
)
def test_what_needs_a_cluster_is_refused_without_one(variable, value):
    with pytest.raises(SettingsError, match=variable):
        load({variable: value})


def test_a_cluster_has_a_plain_name():
    url = {"CLICKHOUSE_URL": "http://store:8123"}
    assert load(url | {"HEADRACE_CLICKHOUSE_CLUSTER": "main"}).clickhouse_cluster == "main"
    with pytest.raises(SettingsError, match="HEADRACE_CLICKHOUSE_CLUSTER"):
        load(url | {"HEADRACE_CLICKHOUSE_CLUSTER": "main; DROP"})


CLUSTER = {"clickhouse_url": "http://store", "nats_url": "nats://broker", "secret_key": "s" * 32}


@pytest.mark.parametrize(
    ("missing", "variable"),
    [
        ({"clickhouse_url": ""}, "CLICKHOUSE_URL"),
        ({"clickhouse_url": "chdb:///folder"}, "CLICKHOUSE_URL"),
        ({"nats_url": ""}, "NATS_URL"),
        ({"secret_key": ""}, "SECRET_KEY"),
    ],
)
def test_processes_apart_need_parts_that_they_can_share(missing, variable):
    check_apart(Settings(**CLUSTER), "serve")
    with pytest.raises(SettingsError, match=f"{variable}.*headrace up"):
        check_apart(Settings(**CLUSTER | missing), "serve")


@pytest.mark.parametrize("secret", ["", "s" * 31])
def test_production_needs_a_secret_key(secret):
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        load({"HEADRACE_ENV": "production", "SECRET_KEY": secret})
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


def test_every_server_of_a_list_is_shown_without_its_password():
    shown = resolved(Settings(nats_url="nats://ada:hush@one:4222,tls://:hush@two?token=hush"))
    assert shown["NATS_URL"] == "nats://***@one:4222,tls://***@two"


def test_every_setting_is_shown_under_its_variable():
    assert list(resolved(Settings())) == list(FIELDS)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)]
)
def test_only_loopback_is_loopback(host, local):
    assert Settings(host=host).on_loopback is local
