"""Which values will do, alone and together."""

import re
from collections.abc import Sequence
from ipaddress import ip_network
from urllib.parse import urlsplit

from service.errors import SettingsError
from service.settings.fields import FIELDS, Settings, listed


def checked(settings: Settings) -> Settings:
    """The same settings; raises SettingsError for values that no process could start with."""
    _refuse_wrong_numbers(settings)
    for variable, schemes in _SCHEMES.items():
        url = getattr(settings, FIELDS[variable].name)
        for server in settings.nats_servers if variable == "NATS_URL" else [url]:
            _refuse_wrong_url(variable, server, schemes)
    if settings.clickhouse_cluster:
        _refuse_wrong_cluster(settings)
    _refuse_wrong_networks(settings.trusted_proxies)
    _refuse_wrong_edge(settings)
    if settings.environment == "production" and len(settings.secret_key) < _LEAST_SECRET:
        raise SettingsError("HEADRACE_ENV=production needs SECRET_KEY (32 random bytes or more)")
    return settings


_LEAST_SECRET = 32
"""Characters: whoever holds a token can try secrets against it for as long as he likes."""
_SCHEMES = {
    "NATS_URL": ("nats", "tls"),
    "CLICKHOUSE_URL": ("http", "https", "chdb"),
    "REDIS_URL": ("redis", "rediss"),
    "POSTGRES_URL": ("postgresql", "postgres"),
    "HEADRACE_SMTP_URL": ("smtp", "smtps"),
}
"""What the URL of each part may begin with."""


def _refuse_wrong_numbers(settings: Settings) -> None:
    for variable, field in FIELDS.items():
        value = getattr(settings, field.name)
        if type(value) in {int, float} and value < 0:
            raise SettingsError(f"{variable} must not be negative, it is {value}")
    for variable in ("API_PORT", "METRICS_PORT"):
        port = getattr(settings, FIELDS[variable].name)
        if not 1 <= port <= 65535:
            raise SettingsError(f"{variable} must be 1 to 65535, it is {port}")
    if settings.stream_replicas not in {0, 1, 3, 5}:
        raise SettingsError(
            f"HEADRACE_STREAM_REPLICAS must be 0, 1, 3 or 5, it is {settings.stream_replicas}"
        )
    if settings.stream_replicas > 1 and not settings.nats_url:
        raise SettingsError(
            "HEADRACE_STREAM_REPLICAS needs a NATS cluster: set NATS_URL, or unset it"
        )


def _refuse_wrong_url(variable: str, url: str, schemes: Sequence[str]) -> None:
    """The message never holds the URL: there may be a password in it."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"{variable} is no URL: {error}") from None
    if parts.scheme not in schemes:
        allowed = ", ".join(f"{scheme}://" for scheme in schemes)
        raise SettingsError(f"{variable} begins with one of {allowed}; it does not")
    if parts.scheme == "chdb":
        if host or not parts.path.strip("/"):
            raise SettingsError(f"{variable} names a folder: chdb:///var/lib/headrace/chdb")
    elif not host:
        raise SettingsError(f"{variable} names no host: {parts.scheme}://host")


def _refuse_wrong_networks(text: str) -> None:
    for part in text.split(","):
        try:
            ip_network(part.strip() or "::1", strict=False)
        except ValueError as error:
            raise SettingsError(f"HEADRACE_TRUSTED_PROXIES: {error}") from None


def _refuse_wrong_edge(settings: Settings) -> None:
    if settings.tls_key and not settings.tls_cert:
        raise SettingsError("HEADRACE_TLS_KEY is the key of HEADRACE_TLS_CERT, which is not set")
    for host in listed(settings.allowed_hosts):
        if not re.fullmatch(r"(\*\.)?[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*|[0-9A-Fa-f:]+", host):
            raise SettingsError(f"HEADRACE_ALLOWED_HOSTS: {host!r} is no name, or has a port")
    for origin in settings.origins:
        if not re.fullmatch(r"\*|https?://[^/\s@?#]+", origin):
            raise SettingsError(
                f"HEADRACE_CORS_ORIGINS: {origin!r} is no origin such as https://app.example.com"
            )


def _refuse_wrong_cluster(settings: Settings) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", settings.clickhouse_cluster):
        raise SettingsError("HEADRACE_CLICKHOUSE_CLUSTER is a name: letters, digits and _")
    if not settings.clickhouse_url.startswith("http"):
        raise SettingsError(
            "HEADRACE_CLICKHOUSE_CLUSTER needs a ClickHouse server: set CLICKHOUSE_URL to "
            "http://…, or unset it"
        )


def check_apart(settings: Settings, command: str) -> None:
    """Refuse a mix in which API and writer cannot be processes of their own.

    Raises SettingsError with the reason and what to do; `command` is `serve` or `work`.
    """
    reasons = {
        "CLICKHOUSE_URL": (
            settings.clickhouse_url.startswith("http"),
            "DuckDB and chdb let one process in: set CLICKHOUSE_URL to http://…",
        ),
        "NATS_URL": (
            bool(settings.nats_url),
            "the embedded NATS belongs to the process that starts it: set NATS_URL",
        ),
        "SECRET_KEY": (
            bool(settings.secret_key),
            "the processes read each other's receipts with it: set SECRET_KEY to 32 random bytes",
        ),
    }
    for variable, (good, advice) in reasons.items():
        if not good:
            raise SettingsError(
                f"headrace {command} cannot run without {variable}: {advice}, "
                "or run everything in one process with `headrace up`"
            )
