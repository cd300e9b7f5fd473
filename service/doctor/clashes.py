"""Settings that do not go together, or are not safe as they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.doctor.remark import Part, Remark
from service.settings import Settings

_PART = Part("settings")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_LEAST_WINDOW = 3600
"""Seconds for which the stream should know a message again: so long senders may try again."""
_LEAST_MARGIN = 600
"""Seconds of messages that a store which lost its last minutes can be filled from again."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Broken where `breaks` says so."""

    about: str
    breaks: Callable[[Settings], bool]
    said: str
    advice: str
    harmful: bool = False


def _open(settings: Settings) -> bool:
    return not settings.on_loopback


def _unguarded(settings: Settings) -> bool:
    return _open(settings) and not (settings.tls_cert or settings.trusted_proxies)


def _tiers_fall(settings: Settings) -> bool:
    limits = [settings.free_per_minute, settings.basic_per_minute, settings.pro_per_minute]
    bounded = [limit for limit in limits if limit]
    return bounded != sorted(bounded) or (0 in limits[:-1] and limits[-1] > 0)


_RULES = (
    _Rule(
        "API_HOST",
        _unguarded,
        "keys and tokens travel in the clear: it listens beyond this machine without TLS",
        "set HEADRACE_TLS_CERT, or put a proxy in front and set HEADRACE_TRUSTED_PROXIES",
        harmful=True,
    ),
    _Rule(
        "HEADRACE_CRASH_AT",
        lambda s: bool(s.crash_at),
        "the process will end itself at this point: it is for tests alone",
        "unset HEADRACE_CRASH_AT",
        harmful=True,
    ),
    _Rule(
        "METRICS_PORT",
        lambda s: s.port == s.metrics_port,
        "API_PORT and METRICS_PORT are the same: `serve` and `work` cannot share a machine",
        "give METRICS_PORT another port",
        harmful=True,
    ),
    _Rule(
        "HEADRACE_MAX_FIELD_BYTES",
        lambda s: s.max_field_bytes > s.max_body_bytes,
        "a field may be larger than a whole body, HEADRACE_MAX_BODY_BYTES",
        "make one smaller or the other larger",
        harmful=True,
    ),
    _Rule(
        "HEADRACE_ENV",
        lambda s: _open(s) and s.environment == "development",
        "development, though it listens beyond this machine: sign-in codes stand in the log",
        "set HEADRACE_ENV=production and SECRET_KEY",
    ),
    _Rule(
        "HEADRACE_SMTP_URL",
        lambda s: s.environment == "production" and not s.smtp_url,
        "empty: nobody can sign in by e-mail, and no password can be reset",
        "set HEADRACE_SMTP_URL",
    ),
    _Rule(
        "HEADRACE_ALLOWED_HOSTS",
        lambda s: _open(s) and not s.allowed_hosts,
        "empty: whatever name a caller gives is taken for ours",
        "set HEADRACE_ALLOWED_HOSTS to the names by which it is reached",
    ),
    _Rule(
        "HEADRACE_CORS_ORIGINS",
        lambda s: "*" in s.origins,
        "`*`: pages of any site may call from a visitor's browser",
        "name the origins whose pages shall call",
    ),
    _Rule(
        "HEADRACE_PUBLIC_METRICS",
        lambda s: _open(s) and s.public_metrics == "yes",
        "anybody who reaches the port sees the default environment's metrics",
        "set HEADRACE_PUBLIC_METRICS=no, unless that is meant",
    ),
    _Rule(
        "PROMETHEUS_ENABLED",
        lambda s: _open(s) and s.prometheus_enabled,
        "anybody who reaches the port sees the telemetry",
        "keep `/-/metrics` from strangers at the proxy or the firewall",
    ),
    _Rule(
        "HEADRACE_DUPLICATE_WINDOW",
        lambda s: s.duplicate_window < _LEAST_WINDOW,
        f"shorter than {_LEAST_WINDOW} s: later retries cost room on the stream",
        f"set HEADRACE_DUPLICATE_WINDOW to {_LEAST_WINDOW} or more",
    ),
    _Rule(
        "HEADRACE_STREAM_KEEP_SECONDS",
        lambda s: s.stream_keep_seconds < _LEAST_MARGIN,
        "a store that loses its last minutes in a power cut cannot be filled from the stream",
        f"set HEADRACE_STREAM_KEEP_SECONDS to {_LEAST_MARGIN} or more",
    ),
    _Rule(
        "HEADRACE_STREAM_REPLICAS",
        lambda s: len(s.nats_servers) >= 3 and s.replicas == 1,
        "one copy of the stream, though NATS_URL names a cluster",
        "set HEADRACE_STREAM_REPLICAS=3",
    ),
    _Rule(
        "HEADRACE_LIVE_PER_ENVIRONMENT",
        lambda s: s.live_per_environment > s.live_listeners,
        "one environment may have more listeners than there may be, HEADRACE_LIVE_LISTENERS",
        "make it smaller: one environment can take every place",
    ),
    _Rule(
        "HEADRACE_FREE_PER_MINUTE",
        _tiers_fall,
        "a higher tier may ask less often than a lower one",
        "let free, basic and pro rise",
    ),
    _Rule(
        "QUESTDB_URL",
        lambda s: bool(s.questdb_url),
        "not used: events are kept in ClickHouse or DuckDB",
        "unset QUESTDB_URL",
    ),
)


def examine_settings(settings: Settings) -> Sequence[Remark]:
    """What clashes or is unsafe; one remark when nothing is."""
    found = [_remark(rule) for rule in _RULES if rule.breaks(settings)]
    found += _plain_lines(settings)
    return found or [_PART.right("all", "they go together, and none is unsafe")]


def _remark(rule: _Rule) -> Remark:
    say = _PART.wrong if rule.harmful else _PART.doubtful
    return say(rule.about, rule.said, rule.advice)


def _plain_lines(settings: Settings) -> Iterator[Remark]:
    """Passwords on their way to another machine without TLS."""
    for variable, url, safe in _lines(settings):
        parts = urlsplit(url)
        if parts.password and parts.hostname not in _LOOPBACK and parts.scheme != safe:
            yield _PART.doubtful(
                variable,
                f"its password travels to {parts.hostname} in the clear",
                f"use {safe}://, unless the network between is yours alone",
            )


def _lines(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Variable, URL, and the scheme under which it is TLS. SMTP turns to TLS by itself."""
    for server in settings.nats_servers:
        yield "NATS_URL", server, "tls"
    yield "CLICKHOUSE_URL", settings.clickhouse_url, "https"
    yield "REDIS_URL", settings.redis_url, "rediss"
