"""One trace from a request, over the stream, to the insert, at a real OTLP receiver."""

import subprocess
import sys

import pytest

from service.settings import Settings
from service.spans import MOST_LINKED, Spans
from service.traces import here, inserting, publishing, traced, tracer
from tests.house.tables import ROOT
from tests.receiving import a_receiver
from tests.system.test_up import an_event

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_batch_is_one_trace_from_the_callers_span_over_the_stream_to_the_insert(new_service):
    with a_receiver() as receiver:
        service = new_service(HEADRACE_TRACES="true", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        service.start()
        sent = service.post(
            "/api/v1/events/batch?ack=stored",
            {"events": [an_event("traced", userId="hush-user")]},
            traceparent=f"00-{TRACE}-{CALLER}-01",
        )
        assert sent.status_code == 202
        service.get("/api/v1/customers/hush-user")
        assert service.stop() == 0
    [door] = receiver.named("POST /api/v1/events/batch")
    [publish] = receiver.named("publish")
    [insert] = receiver.named("insert")
    assert {span.trace_id.hex() for span in (door, publish, insert)} == {TRACE}
    assert door.parent_span_id.hex() == CALLER
    assert publish.parent_span_id == door.span_id
    assert insert.parent_span_id == publish.span_id
    assert receiver.services == {"headrace"}
    assert receiver.named("GET /api/v1/customers/{user_id}")
    assert "hush-user" not in repr(receiver.spans)


@pytest.fixture
def spans(monkeypatch):
    """A tracer whose spans come to a receiver once it is closed."""
    with a_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        yield Spans.over_otlp(), receiver


def published(spans: Spans) -> str:
    with spans.publishing([""]) as noted:
        return noted["traceparent"]


def test_a_group_of_many_batches_has_a_trace_of_its_own_linked_with_each_of_theirs(spans):
    tracer, receiver = spans
    with tracer.inserting([published(tracer), published(tracer), "junk", ""], 7):
        pass
    tracer.close()
    group, *shared = sorted(receiver.named("insert"), key=lambda span: bool(span.parent_span_id))
    publishes = receiver.named("publish")
    assert {link.span_id for link in group.links} == {span.span_id for span in publishes}
    assert {s.trace_id for s in shared} == {span.trace_id for span in publishes}
    assert {link.span_id for span in shared for link in span.links} == {group.span_id}


def test_requests_that_share_a_message_are_linked_with_it(spans):
    tracer, receiver = spans
    parents = [published(tracer) for _ in range(3)]
    with tracer.publishing([*parents, parents[0]]):
        pass
    tracer.close()
    [shared] = [span for span in receiver.named("publish") if span.links]
    assert {link.span_id.hex() for link in shared.links} == {p.split("-")[2] for p in parents[1:]}


def test_a_group_of_very_many_batches_links_no_more_than_it_may(spans):
    tracer, receiver = spans
    with tracer.inserting([published(tracer) for _ in range(MOST_LINKED + 2)], 1):
        pass
    tracer.close()
    assert max(len(span.links) for span in receiver.named("insert")) == MOST_LINKED


def test_an_insert_that_fails_is_an_error_that_tells_no_secret(spans):
    tracer, receiver = spans
    with pytest.raises(ZeroDivisionError), tracer.inserting([""], 1):
        raise ZeroDivisionError("hush")
    tracer.close()
    [failed] = receiver.named("insert")
    assert failed.status.code == 2
    assert "hush" not in repr(failed)


def test_nothing_is_made_or_imported_while_it_is_off():
    assert not Settings().traces
    with traced(False), publishing(["a"]) as noted, inserting(["a"], 1):
        assert (tracer(), here(), noted) == (None, "", {})
    code = "import sys, service.up, service.serve, service.worker, service.cli\n"
    code += (
        "ours = ('service.spans', 'opentelemetry.exporter')\n"  # libraries may look for the rest
    )
    code += "print([m for m in sys.modules if m.startswith(ours)])"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
