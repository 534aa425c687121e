"""Traces: one journey is one trace, from the request over the decision to the provider, and tells nothing of the customer."""

import gzip

import pytest
from aiohttp import web

from app.tracing import Journeys, Span, span_id, trace_id
from tests.running import product
from tests.servers import eventually

SPAN = Span("collect track", "SERVER", "m1", ("collected",), (), 100.0, 100.5, {"boomerang.event": "Order Completed"})


class Kept:
    """A processor of the SDK's kind."""

    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)

    def shutdown(self):
        self.spans = None


def told(share):
    kept = Kept()
    return Journeys(kept, share, "worker", "w-1", "1.0"), kept


def test_every_process_traces_the_same_journeys_about_as_many_as_was_asked_for():
    few, _ = told(0.1)
    others, _ = told(0.1)
    anchors = [f"m{number}" for number in range(5_000)]
    wanted = [anchor for anchor in anchors if few.wants(anchor)]
    assert wanted == [anchor for anchor in anchors if others.wants(anchor)]
    assert 400 < len(wanted) < 600
    assert all(told(1.0)[0].wants(anchor) for anchor in anchors)
    assert not any(told(0.0)[0].wants(anchor) for anchor in anchors)


def test_a_span_is_found_by_its_children_without_anything_being_carried_along():
    journeys, kept = told(1.0)
    journeys.tell(SPAN)
    journeys.tell(Span("decide x", "CONSUMER", "m1", ("decided", "t1"), ("collected",), 200.0, 201.0, {}))
    first, second = kept.spans
    assert first.parent is None
    assert second.context.trace_id == first.context.trace_id == trace_id("m1")
    assert second.parent.span_id == first.context.span_id == span_id("m1", ("collected",))
    assert second.context.span_id != first.context.span_id
    assert (first.start_time, first.end_time) == (100_000_000_000, 100_500_000_000)
    assert first.resource.attributes["service.name"] == "boomerang-worker"


def test_what_failed_is_told_as_failed():
    journeys, kept = told(1.0)
    journeys.tell(SPAN._replace(failure="rejected"))
    (span,) = kept.spans
    assert (span.status.is_ok, span.status.description) == (False, "rejected")


class Receiver:
    """An OpenTelemetry collector: takes OTLP over HTTP and keeps the spans with the service that sent them."""

    def __init__(self):
        self.spans, self.bodies = [], b""

    async def take(self, request):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        assert request.headers["authorization"] == "secret-1"
        body = await request.read()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(names["service.name"], span) for span in scope.spans]
        return web.Response()

    def journey(self):
        """From the mail backwards, each span with its service."""
        by_id = {(span.trace_id, span.span_id): (service, span) for service, span in self.spans}
        step = next((told for told in self.spans if told[1].name == "speak email"), None)
        found = []
        while step is not None:
            found.append(step)
            step = by_id.get((step[1].trace_id, step[1].parent_span_id))
        return found


@pytest.mark.slow
@pytest.mark.broker
async def test_a_journey_from_the_request_to_the_mail_is_one_trace(make_settings, process, free_port):
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    settings = make_settings(
        time_scale=1800.0,
        grace=0.3,
        otlp=f"http://127.0.0.1:{port}",
        otlp_headers="authorization=secret-1",
        trace_share=1.0,
    )
    try:
        async with product(settings, process) as shop:
            await shop.start("collector", "worker", "delivery", "console")
            await shop.subscribe("anna")
            await shop.track("anna", "Product Added", product_id="p1", name="Lamp", price=20)
            await eventually(lambda: len(receiver.journey()) == 3, 60, "all processes have told")  # each by itself
    finally:
        await runner.cleanup()
    assert [(service, span.name) for service, span in receiver.journey()] == [
        ("boomerang-delivery", "speak email"),
        ("boomerang-worker", "decide abandoned_cart"),
        ("boomerang-collector", "collect track"),
    ]
    spans = [span for _, span in receiver.spans]
    assert all(10**18 < span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    assert b"anna" not in receiver.bodies
    assert b"Lamp" not in receiver.bodies
