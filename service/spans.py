"""The tracer that is OpenTelemetry's: what is exported where, its own `OTEL_*` variables say.

Spans hold names, numbers and ids of requests; nothing of what events or answers hold.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import __version__, trail

MOST_LINKED = 128
"""Messages of one insert that are linked with it; the traces of further ones end on the stream."""
_UNNAMED = "unknown_service"
_propagator = TraceContextTextMapPropagator()


class Spans:
    """A `Tracer` that hands its spans to a provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("headrace", __version__)

    @classmethod
    def over_otlp(cls) -> "Spans":
        """Sends spans in batches, by OTLP over HTTP, to where `OTEL_EXPORTER_OTLP_…` says."""
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    @contextmanager
    def request(self, scope: Any, send: Any) -> Iterator[Any]:
        method = scope["method"]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with self._span(method, _context(headers.get(trail.TRACE, "")), SpanKind.SERVER) as span:
            span.set_attribute("http.request.method", method)
            span.set_attribute("headrace.request_id", trail.current())
            yield _noting(span, scope, send)

    @contextmanager
    def publishing(self, parents: Sequence[str]) -> Iterator[Mapping[str, str]]:
        first, *others = _known(parents) or [""]
        links = [Link(_place(other)) for other in others]
        with self._span("publish", _context(first), SpanKind.PRODUCER, links) as span:
            span.set_attribute("messaging.system", "nats")
            span.set_attribute("headrace.requests", len(parents))
            yield {trail.TRACE: self.here()}

    @contextmanager
    def inserting(self, parents: Sequence[str], events: int) -> Iterator[None]:
        """A group of one trace is stored in it. One of several has a trace of its own, and in each
        of theirs stands a span of the same time that is linked with it."""
        known = _known(parents)
        alone = known[0] if len(known) == 1 else ""
        links = [] if alone else [Link(_place(parent)) for parent in known]
        with self._span("insert", _context(alone), SpanKind.CONSUMER, links) as span:
            span.set_attribute("headrace.messages", len(parents))
            span.set_attribute("headrace.events", events)
            shared = [] if alone else [self._shared(parent, span) for parent in known]
            try:
                yield
            finally:
                for one in shared:
                    one.end()

    def here(self) -> str:
        carried: dict[str, str] = {}
        _propagator.inject(carried)
        return carried.get(trail.TRACE, "")

    def close(self) -> None:
        self._provider.shutdown()

    def _shared(self, parent: str, group: Span) -> Span:
        links = [Link(group.get_span_context())]
        return self._tracer.start_span("insert", _context(parent), SpanKind.CONSUMER, links=links)

    @contextmanager
    def _span(
        self, name: str, context: Context, kind: SpanKind, links: Sequence[Link] = ()
    ) -> Iterator[Span]:
        """A span in which the block is done; an exception makes it an error, unsaid which."""
        with self._tracer.start_as_current_span(
            name, context, kind, links=links, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR))
                span.set_attribute("error.type", type(error).__name__)
                raise


def _noting(span: Span, scope: Any, send: Any) -> Any:
    """`send`, which notes status and route when the answer begins: by then the route is known."""

    async def noting(message: Any) -> None:
        if message["type"] == "http.response.start":
            _note(span, scope, message["status"])
        await send(message)

    return noting


def _note(span: Span, scope: Any, status: int) -> None:
    """A path that nothing answers under may be anything: it is not told."""
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
    if route := scope.get("path_template"):
        span.set_attribute("http.route", route)
        span.update_name(f"{scope['method']} {route}")


def _known(parents: Sequence[str]) -> list[str]:
    """Each trace's place once, the first ones."""
    return [parent for parent in dict.fromkeys(parents) if _place(parent).is_valid][:MOST_LINKED]


def _context(parent: str) -> Context:
    return _propagator.extract({trail.TRACE: parent}, Context())


def _place(parent: str) -> SpanContext:
    return get_current_span(_context(parent)).get_span_context()


def _resource() -> Resource:
    """Named headrace, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says otherwise."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
        return found.merge(Resource({SERVICE_NAME: "headrace"}))
    return found
