"""Traces for OpenTelemetry: from the request that brought an event, over the decision an hour later, to the provider's answer.

The only file that knows opentelemetry, which is loaded where `BOOMERANG_OTLP` names a collector, and nowhere else. Nothing has to
be carried along: the id of a journey's trace follows from the id of the event that a trigger is anchored at, and the ids of its
spans from what they are about, so that each process finds them out by itself. Whether a journey is traced follows from that id too:
all processes trace the same ones. A span says what was done and how it went, never for whom.
"""

from collections.abc import Mapping
from hashlib import blake2b
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

QUEUE = 2_048
"""Spans that wait for the OpenTelemetry collector; further ones are dropped."""
BATCH = 256
EVERY_MS = 1_000
PATIENCE_S = 5.0
"""For one request to the OpenTelemetry collector."""
COLLECTED, DECIDED, SPOKEN = "collected", "decided", "spoken"


class Span(NamedTuple):
    """One thing that was done. `began` and `ended` are epoch seconds; `about` and `within` name it and what it belongs to.

    `anchor` is the id of the event that the journey begins with; `failure` is "" where it went well.
    """

    name: str
    kind: str
    anchor: str
    about: tuple[str, ...]
    within: tuple[str, ...]
    began: float
    ended: float
    attributes: Mapping[str, str | float | int]
    failure: str = ""


def trace_id(anchor: str) -> int:
    """128 bits, never zero."""
    return int.from_bytes(blake2b(anchor.encode(), digest_size=16, person=b"boomerang.trace").digest()) or 1


def span_id(anchor: str, about: tuple[str, ...]) -> int:
    """64 bits, never zero."""
    words = "\x1f".join((anchor, *about))
    return int.from_bytes(blake2b(words.encode(), digest_size=8, person=b"boomerang.span").digest()) or 1


class Journeys:
    """Tells of the journeys that are traced: a `share` of them, from 0 to 1, the same ones in every process."""

    def __init__(self, processor: "SpanProcessor", share: float, service: str, instance: str, release: str) -> None:
        from opentelemetry.sdk.resources import Resource

        self._processor = processor
        self._below = int(share * 2**56)
        told = {"service.name": f"boomerang-{service}", "service.version": release}
        self._resource = Resource({**told, "service.instance.id": instance} if instance else told)
        self._release = release

    def wants(self, anchor: str) -> bool:
        """Whether the journey that begins with this event is traced. Later stages of a cascade do not know theirs."""
        return bool(anchor) and trace_id(anchor) & (2**56 - 1) < self._below

    def tell(self, span: Span) -> None:
        """Hand a span to the exporter; returns at once."""
        if self.wants(span.anchor):
            self._processor.on_end(self._readable(span))

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._processor.shutdown()

    def _readable(self, span: Span) -> "ReadableSpan":
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        trace, sampled = trace_id(span.anchor), TraceFlags(TraceFlags.SAMPLED)
        parent = SpanContext(trace, span_id(span.anchor, span.within), True, sampled) if span.within else None
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace, span_id(span.anchor, span.about), False, sampled),
            parent=parent,
            resource=self._resource,
            attributes=dict(span.attributes),
            kind=SpanKind[span.kind],
            status=Status(StatusCode.ERROR, span.failure) if span.failure else Status(StatusCode.OK),
            start_time=int(span.began * 1e9),
            end_time=int(span.ended * 1e9),
            instrumentation_scope=InstrumentationScope("boomerang", self._release),
        )


class Wanted(Protocol):
    """The settings of the same names."""

    @property
    def otlp(self) -> str:
        """Base address of the OpenTelemetry collector (OTLP over HTTP); empty: there is none."""
        ...

    @property
    def otlp_headers_by_name(self) -> dict[str, str]:
        """Headers for it."""
        ...

    @property
    def trace_share(self) -> float:
        """Share of journeys that are traced."""
        ...

    @property
    def instance(self) -> str:
        """Name of this process among those of its kind."""
        ...


def journeys(wanted: Wanted, service: str) -> Journeys | None:
    """The journeys that these settings trace, told as the process `service`; None where they name no collector."""
    if not wanted.otlp or wanted.trace_share <= 0:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(
        f"{wanted.otlp.rstrip('/')}/v1/traces", headers=wanted.otlp_headers_by_name, timeout=PATIENCE_S
    )
    processor = BatchSpanProcessor(
        exporter, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=EVERY_MS
    )
    return Journeys(processor, wanted.trace_share, service, wanted.instance, version("boomerang"))
