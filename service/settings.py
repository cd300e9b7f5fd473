"""Every setting: typed, documented, read once from the environment, passed down.

`headrace settings` prints them resolved; `docs/operations.md` lists them (a test compares).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import msgspec

from service.errors import SettingsError


def _setting(variable: str, default: Any, about: str, *, secret: bool = False) -> Any:
    return dataclasses.field(
        default=default, metadata={"variable": variable, "about": about, "secret": secret}
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What this process runs with. Sizes in bytes, times in seconds unless the name says else."""

    # Where it listens and what it is
    environment: Literal["development", "production"] = _setting(
        "HEADRACE_ENV", "development", "`production` refuses a start without `SECRET_KEY`."
    )
    host: str = _setting("API_HOST", "127.0.0.1", "Address the API listens on.")
    port: int = _setting("API_PORT", 8000, "Port the API listens on.")
    secret_key: str = _setting(
        "SECRET_KEY",
        "",
        "Signs receipts and tokens. Empty: made at the first start and kept in the data directory.",
        secret=True,
    )
    data_dir: Path = _setting(  # noqa: RUF009
        "HEADRACE_DATA_DIR", Path("data"), "Where the embedded parts keep everything."
    )
    log_format: Literal["auto", "console", "json"] = _setting(
        "HEADRACE_LOG_FORMAT", "auto", "`auto`: console on a terminal, JSON elsewhere."
    )

    prometheus_enabled: bool = _setting(
        "PROMETHEUS_ENABLED",
        False,
        "`true` serves the telemetry at `/-/metrics` to whoever reaches the port.",
    )

    # The parts; an empty URL means the embedded one
    nats_url: str = _setting(
        "NATS_URL", "", "NATS with JetStream. Empty: a nats-server child process.", secret=True
    )
    clickhouse_url: str = _setting(
        "CLICKHOUSE_URL", "", "Not served by this version; setting it is refused.", secret=True
    )
    redis_url: str = _setting(
        "REDIS_URL", "", "Not served by this version; setting it is refused.", secret=True
    )
    postgres_url: str = _setting(
        "POSTGRES_URL", "", "Not served by this version; setting it is refused.", secret=True
    )
    questdb_url: str = _setting(
        "QUESTDB_URL", "", "Not used; setting it is a warning that says what serves instead."
    )

    # Who may do what
    bootstrap_api_key: str = _setting(
        "HEADRACE_BOOTSTRAP_API_KEY",
        "",
        "A fixed first key (scopes ingest, read, admin) for containers and tests.",
        secret=True,
    )
    public_metrics: Literal["auto", "yes", "no"] = _setting(
        "HEADRACE_PUBLIC_METRICS",
        "auto",
        "Whether anonymous calls see the default environment's metrics. "
        "`auto`: only while listening on loopback.",
    )

    # The door
    max_body_bytes: int = _setting(
        "HEADRACE_MAX_BODY_BYTES", 16 * 1024 * 1024, "Largest request body, after inflating."
    )
    max_field_bytes: int = _setting(
        "HEADRACE_MAX_FIELD_BYTES", 32 * 1024, "Largest `payload` or `metadata`, as JSON."
    )
    max_depth: int = _setting(
        "HEADRACE_MAX_DEPTH", 20, "Deepest nesting in `payload` or `metadata`."
    )
    body_timeout: float = _setting(
        "HEADRACE_BODY_TIMEOUT", 10.0, "How long a request's body may take to arrive."
    )
    strict: bool = _setting(
        "HEADRACE_STRICT",
        False,
        "`true` refuses events with unknown fields instead of keeping them in `metadata._extra`.",
    )
    publish_timeout: float = _setting(
        "HEADRACE_PUBLISH_TIMEOUT", 8.0, "How long ingest tries to reach the stream before 503."
    )
    queue_bytes: int = _setting(
        "HEADRACE_QUEUE_BYTES",
        64 * 1024 * 1024,
        "Bytes of bodies waiting for the stream's acknowledgement; more is 503.",
    )
    coalesce_seconds: float = _setting(
        "HEADRACE_COALESCE_SECONDS", 0.002, "How long small requests wait for company."
    )

    # The stream
    stream_max_bytes: int = _setting(
        "HEADRACE_STREAM_MAX_BYTES",
        10 * 1024**3,
        "Disk the stream may take; a full stream is 503, never a lost event.",
    )
    stream_keep_seconds: int = _setting(
        "HEADRACE_STREAM_KEEP_SECONDS",
        3600,
        "How long stored messages stay on the stream as a safety margin.",
    )
    duplicate_window: int = _setting(
        "HEADRACE_DUPLICATE_WINDOW", 3600, "How long the stream recognises a repeated message id."
    )

    # The writer and the event store
    dedupe_ids: int = _setting(
        "HEADRACE_DEDUPE_IDS", 10_000_000, "Ids the near net remembers (about 24 bytes each)."
    )
    group_events: int = _setting("HEADRACE_GROUP_EVENTS", 50_000, "Most events in one insert.")
    group_seconds: float = _setting(
        "HEADRACE_GROUP_SECONDS", 0.1, "How long an event waits for company before its insert."
    )
    rollup_events: int = _setting(
        "HEADRACE_ROLLUP_EVENTS",
        100_000,
        "Stored events that make a step of the rollups worth its while; fewer are read raw.",
    )
    duckdb_memory: str = _setting(
        "HEADRACE_DUCKDB_MEMORY", "288MB", "Memory limit of the embedded event store."
    )

    # Questions
    cache_seconds: float = _setting(
        "HEADRACE_CACHE_SECONDS", 10.0, "How long a metrics answer is served from the cache."
    )
    query_timeout: float = _setting(
        "HEADRACE_QUERY_TIMEOUT", 10.0, "Time cap of a question at the event store."
    )

    # For tests
    crash_at: str = _setting(
        "HEADRACE_CRASH_AT", "", "Test only: `POINT` or `POINT:N`, exit there the N-th time."
    )

    @property
    def on_loopback(self) -> bool:
        return self.host in {"127.0.0.1", "localhost", "::1"}


FIELDS = {field.metadata["variable"]: field for field in dataclasses.fields(Settings)}
"""Each setting by its environment variable."""


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings; raises SettingsError for a wrong value or an unknown HEADRACE_ name."""
    _refuse_unknown(environ)
    types = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for variable, field in FIELDS.items():
        if (text := environ.get(variable, "")) != "":
            values[field.name] = _convert(variable, text, types[field.name])
    return _checked(Settings(**values))


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name in environ:
        if name.startswith("HEADRACE_") and name not in FIELDS and "_TEST_" not in name:
            raise SettingsError(f"{name} is not a setting; `headrace settings` lists them all")


def _convert(variable: str, text: str, kind: Any) -> Any:
    if kind is Path:
        return Path(text)
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        shown = "" if FIELDS[variable].metadata["secret"] else f" {text!r}"
        raise SettingsError(f"{variable}{shown}: {error}") from None


def _checked(settings: Settings) -> Settings:
    for variable, field in FIELDS.items():
        value = getattr(settings, field.name)
        if type(value) in {int, float} and value < 0:
            raise SettingsError(f"{variable} must not be negative, it is {value}")
    for variable in ("CLICKHOUSE_URL", "REDIS_URL", "POSTGRES_URL"):
        if getattr(settings, FIELDS[variable].name):
            raise SettingsError(
                f"{variable} is set, but this version runs on its embedded part only; unset it"
            )
    if settings.environment == "production" and not settings.secret_key:
        raise SettingsError("HEADRACE_ENV=production needs SECRET_KEY (32 random bytes or more)")
    if not 1 <= settings.port <= 65535:
        raise SettingsError(f"API_PORT must be 1 to 65535, it is {settings.port}")
    return settings


def resolved(settings: Settings) -> dict[str, str]:
    """Every variable with its resolved value; secrets and passwords in URLs masked."""
    return {v: _shown(getattr(settings, f.name), f) for v, f in FIELDS.items()}


def _shown(value: Any, field: dataclasses.Field[Any]) -> str:
    if not field.metadata["secret"] or not value:
        return str(value).lower() if isinstance(value, bool) else str(value)
    parts = urlsplit(str(value))
    if not parts.hostname:
        return "********"
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    return urlunsplit((parts.scheme, f"***@{host}" if parts.username else host, parts.path, "", ""))
