"""What operators watch: every counter and timer in one table, and structured logs.

A log event is a dotted constant with fields (`writer.group.stored`), never a body or a secret.
"""

import logging
import sys
from collections.abc import Iterable
from typing import Any, Literal

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from service import trail
from service.redaction import know, redact

registry = CollectorRegistry()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _counter(name: str, about: str, *labels: str) -> Counter:
    return Counter(name, about, labels, registry=registry)


def _gauge(
    name: str,
    about: str,
    *labels: str,
    over: Literal["livesum", "livemax", "livemostrecent"] = "livemostrecent",
) -> Gauge:
    """Of processes that share a port: all added up, the highest, or what was measured last."""
    return Gauge(name, about, labels, registry=registry, multiprocess_mode=over)


def _timer(name: str, about: str, *labels: str) -> Histogram:
    return Histogram(name, about, labels, buckets=_SECONDS, registry=registry)


# The table. docs/operations.md explains each; a test compares.
requests = _counter(
    "headrace_requests", "Requests by face and kind of answer: 2xx to 5xx.", "face", "status"
)
request_seconds = _timer(
    "headrace_request_seconds", "From a request's head to the beginning of its answer.", "face"
)
part_up = _gauge(
    "headrace_part_up", "1 while a part answers: store, stream, cache, control.", "part"
)
events_accepted = _counter("headrace_events_accepted", "Events acknowledged by the stream.")
events_hinted = _counter(
    "headrace_events_hinted_duplicate", "Events answered as duplicates at the door."
)
events_rejected = _counter("headrace_events_rejected", "Events refused at the door.", "code")
ingest_unavailable = _counter("headrace_ingest_unavailable", "Requests answered 503 at the door.")
publish_seconds = _timer("headrace_publish_seconds", "From publishing to the acknowledgement.")
events_stored = _counter("headrace_events_stored", "Events the writer stored.")
events_repeated = _counter(
    "headrace_events_repeated", "Repeats the writer recognised and did not store."
)
far_lookups = _counter(
    "headrace_far_lookups", "Events looked up in the store because the near net forgot their time."
)
dead_letters = _counter("headrace_dead_letters", "Messages put aside because they are unreadable.")
append_seconds = _timer("headrace_append_seconds", "Duration of one insert.")
groups_again = _counter(
    "headrace_groups_stored_again", "Groups stored again because they may have been stored in part."
)
writer_failures = _counter("headrace_writer_failures", "Attempts of the writer that failed.")
writer_lag_messages = _gauge(
    "headrace_writer_lag_messages", "Messages on the stream not yet stored."
)
writer_active = _gauge("headrace_writer_active", "1 in the process whose turn it is to write.")
stream_epochs = _counter(
    "headrace_stream_epochs", "Times the stream was found rolled back or made anew."
)
stream_gaps = _counter("headrace_stream_gaps", "Messages the stream lost before they were stored.")
stream_bytes = _gauge("headrace_stream_bytes", "Disk that the messages on the stream take.")
stream_most_bytes = _gauge(
    "headrace_stream_max_bytes", "Disk they may take; beyond it events are refused."
)
lag_messages = _gauge(
    "headrace_lag_messages", "Messages on the stream that the store has not, as seen at the door."
)
lag_events = _gauge(
    "headrace_lag_events", "Events in them; of more than 16 messages as many each as in the first."
)
lag_seconds = _gauge("headrace_lag_seconds", "Age of the oldest of them; 0 when there is none.")
canary_age_seconds = _gauge(
    "headrace_canary_age_seconds",
    "Since the newest event of the service's own that is counted was sent; of the worst process.",
    over="livemax",
)
canary_seconds = _timer(
    "headrace_canary_seconds", "From sending an event of the service's own to finding it counted."
)
dead_letters_kept = _gauge(
    "headrace_dead_letters_kept", "Dead letters that wait for somebody to look at them."
)
tasks = _gauge("headrace_tasks", "Tasks of the event loops, under way or waiting.", over="livesum")
disk_free_bytes = _gauge("headrace_disk_free_bytes", "Free where the data directory is.")
disk_bytes = _gauge("headrace_disk_bytes", "Size of the disk where the data directory is.")
cache_answers = _counter("headrace_cache_answers", "Answers by where they came from.", "source")
query_seconds = _timer("headrace_query_seconds", "Duration of a question at the store.", "question")
query_failures = _counter(
    "headrace_query_failures", "Questions that the store did not answer.", "question", "code"
)
live_listeners = _gauge("headrace_live_listeners", "Listeners to live answers.", over="livesum")
live_pushed = _counter("headrace_live_pushed", "Documents pushed to listeners.")
live_cut = _counter("headrace_live_cut", "Listeners cut off because they did not read.")
rollup_seconds = _timer("headrace_rollup_seconds", "Duration of rolling up new rows.")
rollup_mismatches = _counter(
    "headrace_rollup_mismatches", "Rollups found to differ from the raw rows; must stay 0."
)
events_expired = _counter(
    "headrace_events_expired", "Events deleted because their environment keeps them no longer."
)
users_erased = _counter("headrace_users_erased", "Users whose events and profiles were erased.")
accounts_failures = _counter(
    "headrace_accounts_failures", "Readings of the accounts' database that failed."
)
keys_refused = _counter(
    "headrace_keys_refused", "Calls with an API key that is unknown or has ended.", "why"
)
shared_failures = _counter(
    "headrace_shared_failures", "Calls of the memory that processes share (Redis) that failed."
)
limits_refused = _counter(
    "headrace_limits_refused", "Uses beyond a limit, which were refused.", "limit"
)
limits_alone = _counter(
    "headrace_limits_alone", "Uses of a limit that one process counted alone: Redis did not answer."
)
pipelines = _gauge("headrace_pipelines", "Pipelines of all environments, by state.", "state")
pipelines_running = _gauge("headrace_pipelines_running", "Pipelines that this process carries.")
pipeline_lag_messages = _gauge(
    "headrace_pipeline_lag_messages",
    "Messages of a bus that its target has not, of the subscription with the most of them.",
)
pipeline_lag_seconds = _gauge(
    "headrace_pipeline_lag_seconds", "Age of the oldest of all that wait for a target; 0: none."
)
pipeline_bus_share = _gauge(
    "headrace_pipeline_bus_share", "Share of its room that the fullest bus takes, 0 to 1."
)
pipeline_dead_letters_kept = _gauge(
    "headrace_pipeline_dead_letters_kept",
    "Dead letters of all pipelines that wait for somebody to look at them.",
)
pipeline_records = _counter(
    "headrace_pipeline_records", "Records moved, by the kind of source or target.", "kind"
)
pipeline_refused = _counter(
    "headrace_pipeline_refused", "Records put aside, by the kind of target.", "kind"
)
pipeline_failures = _counter(
    "headrace_pipeline_failures", "Tries of a source or target that failed, by kind.", "kind"
)
pipelines_broken = _counter("headrace_pipelines_broken", "Pipelines that ended with an error.")

CONTENT_TYPE = CONTENT_TYPE_LATEST


SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Variable of the folder in which processes that answer on one port keep their series together."""


def exposition() -> bytes:
    """All series in Prometheus' text form; of all processes that share a folder, added up."""
    if values.ValueClass is values.MutexValue:
        return generate_latest(registry)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)


def forget_gauges(folder: str, process: int) -> None:
    """Leave out what a process that has ended measured; what it counted stays counted."""
    mark_process_dead(process, folder)  # type: ignore[no-untyped-call]


class _Libraries(logging.Handler):
    """What libraries warn of, in our log and without secrets."""

    def emit(self, record: logging.LogRecord) -> None:
        text, why = record.getMessage(), record.exc_info
        log().log(record.levelno, "library.logged", library=record.name, text=text, exc_info=why)


Level = Literal["debug", "info", "warning", "error"]


class _Detail:
    """What is logged in this process."""

    full = False


def configure_logs(
    form: Literal["auto", "console", "json"], secrets: Iterable[str] = (), level: Level = "info"
) -> None:
    """Send logs to stderr, as lines for people or as JSON, without `secrets` wherever they are."""
    know(secrets)
    _Detail.full = level == "debug"
    root = logging.getLogger()
    if not any(isinstance(handler, _Libraries) for handler in root.handlers):
        root.addHandler(_Libraries(logging.WARNING))
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            trail.tell,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,  # before the masks: there are texts in it
            redact,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


_LEVELS: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def detailed() -> bool:
    """Whether each batch is logged on its way: to be asked first, where many pass."""
    return _Detail.full


def log() -> Any:
    """The logger."""
    return structlog.get_logger()
