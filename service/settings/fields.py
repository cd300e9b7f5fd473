"""What can be set: each with its variable, its default and what it is for."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit


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
    tls_cert: str = _setting(
        "HEADRACE_TLS_CERT",
        "",
        "File of the certificate with its chain (PEM): the API then speaks TLS alone. A renewed "
        "file is taken up within ten seconds. Empty: no TLS here.",
    )
    tls_key: str = _setting(
        "HEADRACE_TLS_KEY", "", "File of its key (PEM). Empty: it stands in `HEADRACE_TLS_CERT`."
    )
    hsts_seconds: int = _setting(
        "HEADRACE_HSTS_SECONDS",
        31_536_000,
        "How long browsers shall come by TLS alone, told over TLS alone. 0: nothing is told.",
    )
    allowed_hosts: str = _setting(
        "HEADRACE_ALLOWED_HOSTS",
        "",
        "Names by which callers reach the API, with commas between; `*.example.com` is any name "
        "below; others get 421. Empty: any, but on loopback without trusted proxies its own names.",
    )
    cors_origins: str = _setting(
        "HEADRACE_CORS_ORIGINS",
        "",
        "Origins whose pages may call from a browser, `https://app.example.com`, with commas "
        "between; `*` is all. Empty: none.",
    )
    metrics_port: int = _setting(
        "METRICS_PORT", 9464, "Port where `headrace work` answers for its health and telemetry."
    )
    secret_key: str = _setting(
        "SECRET_KEY",
        "",
        "Signs receipts and tokens, seals secrets; the same for all processes of a service. "
        "Empty: made at the first start and kept in the data directory.",
        secret=True,
    )
    former_secret_keys: str = _setting(
        "HEADRACE_FORMER_SECRET_KEYS",
        "",
        "Values that `SECRET_KEY` had before, with commas between: tokens signed with them go on "
        "until their time is over, and what they sealed still opens.",
        secret=True,
    )
    data_dir: Path = _setting(  # noqa: RUF009
        "HEADRACE_DATA_DIR", Path("data"), "Where the embedded parts keep everything."
    )
    log_format: Literal["auto", "console", "json"] = _setting(
        "HEADRACE_LOG_FORMAT", "auto", "`auto`: console on a terminal, JSON elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "HEADRACE_LOG_LEVEL",
        "info",
        "The least that is logged. `debug`: each batch too, at the door and when it is stored.",
    )

    prometheus_enabled: bool = _setting(
        "PROMETHEUS_ENABLED",
        False,
        "`true` serves the telemetry at `/-/metrics` to whoever reaches the port.",
    )
    traces: bool = _setting(
        "HEADRACE_TRACES",
        False,
        "`true` sends OpenTelemetry traces, to where the standard `OTEL_*` variables say; needs "
        "`pip install 'headrace[otel]'`.",
    )

    # The parts; an empty URL means the embedded one
    nats_url: str = _setting(
        "NATS_URL",
        "",
        "NATS with JetStream, `nats://user:password@host:4222`, several servers of one cluster "
        "with commas between. Empty: a nats-server child process.",
        secret=True,
    )
    stream_replicas: int = _setting(
        "HEADRACE_STREAM_REPLICAS",
        0,
        "Copies of the stream. 0: three when `NATS_URL` names three servers, else one.",
    )
    clickhouse_url: str = _setting(
        "CLICKHOUSE_URL",
        "",
        "`http://user:password@host:8123/database` (or https), or `chdb:///folder` for the engine "
        "in this process. Empty: a DuckDB file.",
        secret=True,
    )
    clickhouse_cluster: str = _setting(
        "HEADRACE_CLICKHOUSE_CLUSTER",
        "",
        "Name of a ClickHouse cluster: tables are made on all of it, replicated and distributed.",
    )
    redis_url: str = _setting(
        "REDIS_URL",
        "",
        "Redis or Valkey, `redis://user:password@host:6379/0` (or rediss): processes share "
        "answers, hints of repeats and limits. Empty: each process has its own.",
        secret=True,
    )
    postgres_url: str = _setting(
        "POSTGRES_URL",
        "",
        "PostgreSQL for accounts, `postgresql://user:password@host:5432/database`. "
        "Empty: a SQLite file.",
        secret=True,
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

    signing_window: float = _setting(
        "HEADRACE_SIGNING_WINDOW",
        300.0,
        "How far the time of a signed request may be from the service's; so long a replay is "
        "remembered.",
    )
    owner_email: str = _setting(
        "HEADRACE_OWNER_EMAIL",
        "",
        "The address of whoever shall own the default environment and be superuser. "
        "Empty: the first who registers or signs in.",
    )
    audit_days: int = _setting(
        "HEADRACE_AUDIT_DAYS", 400, "How long entries of the audit log are kept; 0: for ever."
    )
    smtp_url: str = _setting(
        "HEADRACE_SMTP_URL",
        "",
        "Where letters are handed over, `smtp://user:password@host:587` (or smtps). Empty: in "
        "development the folder `outbox` and the log, in production nobody signs in by e-mail.",
        secret=True,
    )
    mail_from: str = _setting(
        "HEADRACE_MAIL_FROM", "Headrace <headrace@localhost>", "The sender of letters."
    )
    trusted_proxies: str = _setting(
        "HEADRACE_TRUSTED_PROXIES",
        "",
        "Addresses or networks of proxies, with commas between. `X-Forwarded-For` is believed from "
        "them alone; without it all callers behind a proxy share one limit.",
    )

    # How often a caller may ask, by tier
    free_per_minute: int = _setting(
        "HEADRACE_FREE_PER_MINUTE",
        100,
        "Requests in any minute with a key of the tier Free, or of one address without a key. "
        "0: no limit.",
    )
    basic_per_minute: int = _setting(
        "HEADRACE_BASIC_PER_MINUTE", 1000, "The same for the tier Basic."
    )
    pro_per_minute: int = _setting("HEADRACE_PRO_PER_MINUTE", 10_000, "The same for the tier Pro.")
    enterprise_per_minute: int = _setting(
        "HEADRACE_ENTERPRISE_PER_MINUTE", 0, "The same for the tier Enterprise."
    )
    events_cost_up_to: Literal["none", "free", "basic", "pro", "enterprise"] = _setting(
        "HEADRACE_EVENTS_COST_UP_TO",
        "none",
        "Up to this tier a batch is worth as many requests as it has events; above it one.",
    )

    signed_per_second: int = _setting(
        "HEADRACE_SIGNED_PER_SECOND", 1000, "Requests a second of each signing token."
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

    # Pipelines
    allow_private_targets: bool = _setting(
        "HEADRACE_ALLOW_PRIVATE_TARGETS",
        False,
        "`true` lets connectors reach hosts in private networks and on this machine.",
    )
    pipeline_bytes: int = _setting(
        "HEADRACE_PIPELINE_BYTES",
        256 * 1024**2,
        "Disk of each pipeline's bus; a full one stops the source, and loses nothing.",
    )
    pipeline_refused_bytes: int = _setting(
        "HEADRACE_PIPELINE_REFUSED_BYTES",
        64 * 1024**2,
        "Disk of each pipeline's dead letters; without room for more it ends with an error.",
    )
    pipeline_days: float = _setting(
        "HEADRACE_PIPELINE_DAYS",
        7.0,
        "Days that a bus keeps what each running subscription of its pipeline has.",
    )
    pipeline_give_up: float = _setting(
        "HEADRACE_PIPELINE_GIVE_UP",
        3600.0,
        "How long a source or target may be away before its pipeline ends with an error.",
    )
    files_dir: str = _setting(
        "HEADRACE_FILES_DIR",
        "",
        "Folder with a folder for each environment, named by its id, whose files `CSV_SOURCE` may "
        "read. Empty: none.",
    )

    # Uploads
    upload_max_bytes: int = _setting(
        "HEADRACE_UPLOAD_MAX_BYTES",
        5 * 1024**3,
        "Bytes of a CSV file that is uploaded to be delivered.",
    )
    uploads_at_once: int = _setting(
        "HEADRACE_UPLOADS_AT_ONCE", 2, "Uploads that one process delivers at the same time."
    )
    uploads_per_environment: int = _setting(
        "HEADRACE_UPLOADS_PER_ENVIRONMENT",
        20,
        "Uploads of an environment that have not ended; more is 409.",
    )
    upload_bytes_per_environment: int = _setting(
        "HEADRACE_UPLOAD_BYTES_PER_ENVIRONMENT",
        20 * 1024**3,
        "Bytes of an environment's uploaded files that are kept on a machine; more is 409.",
    )
    upload_days: float = _setting(
        "HEADRACE_UPLOAD_DAYS", 7.0, "How long an upload and its reports are kept after its end."
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

    # The canary
    canary_seconds: float = _setting(
        "HEADRACE_CANARY_SECONDS",
        10.0,
        "How often each API process sends an event of its own and looks for it; 0: never.",
    )
    canary_late: float = _setting(
        "HEADRACE_CANARY_LATE",
        300.0,
        "Age of the newest one found at which the process is not ready any more; 0: it stays so.",
    )

    # Questions
    cache_seconds: float = _setting(
        "HEADRACE_CACHE_SECONDS", 10.0, "How long a metrics answer is served from the cache."
    )
    query_timeout: float = _setting(
        "HEADRACE_QUERY_TIMEOUT", 10.0, "Time cap of a question at the event store."
    )

    live_listeners: int = _setting(
        "HEADRACE_LIVE_LISTENERS", 5000, "Most listeners to live answers in one process."
    )
    live_per_environment: int = _setting(
        "HEADRACE_LIVE_PER_ENVIRONMENT",
        2000,
        "Most listeners to live answers of one environment in one process.",
    )
    live_heartbeat: float = _setting(
        "HEADRACE_LIVE_HEARTBEAT",
        15.0,
        "How often a listener hears something, so that proxies keep the connection open.",
    )
    live_stall: float = _setting(
        "HEADRACE_LIVE_STALL", 10.0, "How long a listener may read nothing before it is cut off."
    )

    # For tests
    crash_at: str = _setting(
        "HEADRACE_CRASH_AT", "", "Test only: `POINT` or `POINT:N`, exit there the N-th time."
    )

    @property
    def engine(self) -> Literal["duckdb", "clickhouse"]:
        """What keeps the events."""
        return "clickhouse" if self.clickhouse_url else "duckdb"

    @property
    def on_loopback(self) -> bool:
        return self.host in {"127.0.0.1", "localhost", "::1"}

    @property
    def hosts(self) -> list[str]:
        """The names that callers may use; none means any. A page elsewhere whose name somebody
        lets point here (DNS rebinding) is thereby kept from what loopback may read."""
        alone = self.on_loopback and not self.trusted_proxies
        return listed(self.allowed_hosts) or (["127.0.0.1", "localhost", "::1"] if alone else [])

    @property
    def certificate(self) -> str:
        """The file of the certificate, wherever one stands; empty without TLS."""
        return str(Path(self.tls_cert).absolute()) if self.tls_cert else ""

    @property
    def secrets(self) -> list[str]:
        """The texts in these settings that nobody may read, of URLs their passwords."""
        given = [getattr(self, f.name) for f in FIELDS.values() if f.metadata["secret"]]
        return [secret for text in given for part in listed(text) for secret in _secrets_in(part)]

    @property
    def origins(self) -> list[str]:
        return listed(self.cors_origins)

    @property
    def nats_servers(self) -> list[str]:
        return listed(self.nats_url)

    @property
    def former_secrets(self) -> list[str]:
        return listed(self.former_secret_keys)

    @property
    def replicas(self) -> int:
        """How many copies of the stream are kept."""
        return self.stream_replicas or (3 if len(self.nats_servers) >= 3 else 1)

    @property
    def is_shared(self) -> bool:
        """Whether the stream and the event store are servers that several processes can use."""
        return bool(self.nats_url) and self.clickhouse_url.startswith("http")


def _secrets_in(text: str) -> Sequence[str]:
    """Of a URL the password, as it stands there and as it is meant; any other text is secret."""
    if "://" not in text:
        return [text]
    try:
        password = urlsplit(text).password or ""
    except ValueError:
        return [text]
    return [password, unquote(password)] if password else []


def listed(text: str) -> list[str]:
    """The parts of a setting with commas between."""
    return [part.strip() for part in text.split(",") if part.strip()]


FIELDS = {field.metadata["variable"]: field for field in dataclasses.fields(Settings)}
"""Each setting by its environment variable."""
