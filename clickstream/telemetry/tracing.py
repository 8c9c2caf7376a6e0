"""OpenTelemetry, set up once per process that traces; imported only there, since it costs 100 ms and 10 MB.

Ids are X-Ray's (they begin with the time), so the same spans go to X-Ray or to any other backend by OTLP. A caller's context is
taken from ``traceparent`` or ``X-Amzn-Trace-Id``. Sampling is decided once, where a request enters, by chance alone: a caller
that marks all its requests as sampled is not obeyed. Everybody after follows.
"""

import logging
from collections.abc import Mapping

from clickstream.errors import Missing
from clickstream.settings import Settings
from clickstream.telemetry.traceparent import TraceParent

try:
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.propagators.aws import AwsXRayPropagator
    from opentelemetry.propagators.composite import CompositePropagator
    from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError as missing:
    raise Missing(
        f"tracing needs the extra `telemetry` ({missing.name} is not installed)",
        hint="uv sync --extra telemetry, or unset CLICKSTREAM_TRACE_SAMPLING",
    ) from missing

__all__ = ["Span", "SpanKind", "Tracing", "inside", "parent_of", "traceparent_of", "under"]

#: Spans wait at most so long for company before they are sent.
_EXPORT_EVERY_MS = 1_000
#: At the end of a process.
_FLUSH_MS = 2_000
_PROPAGATOR = CompositePropagator([TraceContextTextMapPropagator(), AwsXRayPropagator()])


class Tracing:
    """Makes spans and sends them, on a thread of its own; what cannot be sent is dropped and never waited for.

    ``service`` is the spans' service.name. ``exporter`` replaces OTLP over HTTP.
    """

    def __init__(self, settings: Settings, service: str, exporter: SpanExporter | None = None) -> None:
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # whoever asks for a span has decided
            id_generator=AwsXRayIdGenerator(),
            resource=Resource.create({"service.name": service, "service.namespace": settings.name}),
            shutdown_on_exit=False,  # a shard's process is a fork and runs no exit handlers: `close` is called
        )
        # a backend that is down is worth a line per batch, not one per attempt
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        sender = exporter or OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=5)
        self._provider.add_span_processor(BatchSpanProcessor(sender, schedule_delay_millis=_EXPORT_EVERY_MS))
        self._tracer = self._provider.get_tracer("clickstream")

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: Context,
        attributes: Mapping[str, str | int | float | bool],
        *,
        start_ns: int | None = None,
    ) -> Span:
        """A span, to be ended by its ``end``."""
        return self._tracer.start_span(name, parent, kind, dict(attributes), start_time=start_ns)

    def flush(self) -> None:
        """Send what waits, for two seconds at most."""
        self._provider.force_flush(_FLUSH_MS)

    def close(self) -> None:
        """The same, for the last time."""
        self.flush()
        self._provider.shutdown()


def parent_of(headers: Mapping[str, str]) -> Context:
    """The caller's span as an HTTP request's headers name it; an empty context when they do not."""
    return _PROPAGATOR.extract(headers, Context())


def under(parent: TraceParent) -> Context:
    """A span that an event's context names."""
    context = SpanContext(
        parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.sampled else 0)
    )
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


def inside(span: Span) -> Context:
    """A span of this process, as a parent."""
    return trace.set_span_in_context(span, Context())


def traceparent_of(span: Span) -> TraceParent:
    context = span.get_span_context()
    return TraceParent(context.trace_id, context.span_id, context.trace_flags.sampled)
