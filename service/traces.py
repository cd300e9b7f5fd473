"""Traces: one from a request, over the stream, to the insert. Off outside of `traced`.

While it is off, what needs OpenTelemetry is not imported, and asking here costs a look at a name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from service.errors import SettingsError


class Tracer(Protocol):
    """Makes spans. A parent is a `traceparent`, as W3C's Trace Context writes it; empty: none."""

    def request(self, scope: Any, send: Any) -> AbstractContextManager[Any]:
        """Around a request: where the answer is to be sent, so that its status is noted."""
        ...

    def publishing(self, parents: Sequence[str]) -> AbstractContextManager[Mapping[str, str]]:
        """Around the publishing of requests' events: what the message has beside its body."""
        ...

    def inserting(self, parents: Sequence[str], events: int) -> AbstractContextManager[None]:
        """Around the insert of messages' events: in the trace of each."""
        ...

    def here(self) -> str:
        """The `traceparent` of the span that this is done in."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class _Now:
    """Who makes spans in this process."""

    tracer: Tracer | None = None


_NO_NOTES: AbstractContextManager[Mapping[str, str]] = nullcontext({})
_NOTHING: AbstractContextManager[None] = nullcontext()


def tracer() -> Tracer | None:
    """None while traces are off."""
    return _Now.tracer


def here() -> str:
    """The `traceparent` of the span that this is done in; empty where there is none."""
    return _Now.tracer.here() if _Now.tracer else ""


def publishing(parents: Iterable[str]) -> AbstractContextManager[Mapping[str, str]]:
    """As `Tracer.publishing`."""
    return _Now.tracer.publishing(list(parents)) if _Now.tracer else _NO_NOTES


def inserting(parents: Iterable[str], events: int) -> AbstractContextManager[None]:
    """As `Tracer.inserting`."""
    return _Now.tracer.inserting(list(parents), events) if _Now.tracer else _NOTHING


@contextmanager
def traced(wanted: bool) -> Iterator[None]:
    """Make spans in the block, if `wanted`, and send all of them at its end.

    Raises SettingsError when OpenTelemetry is not installed.
    """
    if not wanted:
        yield
        return
    try:
        from service.spans import Spans
    except ImportError as error:
        raise SettingsError(
            f"HEADRACE_TRACES=true needs OpenTelemetry: pip install 'headrace[otel]' ({error.name})"
        ) from None
    _Now.tracer = Spans.over_otlp()
    try:
        yield
    finally:
        _Now.tracer.close()
        _Now.tracer = None
