"""Spans of charges whose producer traces them. OpenTelemetry is installed where it is wanted.

A charge's `traceparent` (W3C Trace Context, level 1) goes along to its scored event anyway. Where
its flags say that it is sampled, a span tells how long the charge took here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.sdk.trace.export import SpanExporter

    from streams.events.headers import Headers

_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED: Final = 1
_EXPORT_S: Final = 2.0


class Traces:
    """Emits a span for each charge that is traced.

    Parameters
    ----------
    exporter
        Takes the spans, in a thread of its own.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        resource = Resource.create({"service.name": "chargewatch"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("chargewatch")

    @classmethod
    def to(cls, url: str) -> Self:
        """Return what emits to a collector, by OTLP over HTTP."""
        return cls(OTLPSpanExporter(url, timeout=_EXPORT_S))

    def add(
        self,
        headers: Sequence[Headers],
        published: Iterable[float],
        stage_began: float,
        actions: Iterable[str],
        now: float,
    ) -> None:
        """Emit the spans of those of N charges that are traced, which are scored now.

        Parameters
        ----------
        headers
            That have come with them.
        published
            When the broker had each; all times in Unix seconds.
        stage_began
            When the merchant stage took them.
        actions
            What is done with each.
        now
            When they were scored.
        """
        for own, began, action in zip(headers, published, actions, strict=True):
            if (parent := _sampled(own)) is None:
                continue
            trace_id, span_id = (int(part, 16) for part in parent)
            of_producer = trace.SpanContext(
                trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(_SAMPLED)
            )
            context = trace.set_span_in_context(trace.NonRecordingSpan(of_producer))
            span = self._tracer.start_span(
                "score charge",
                context,
                trace.SpanKind.CONSUMER,
                {"chargewatch.action": action},
                start_time=_ns(began),
            )
            span.add_event("merchant stage", timestamp=_ns(stage_began))
            span.end(_ns(now))

    def close(self) -> None:
        """Let what was emitted be taken, for a moment."""
        self._provider.shutdown()


def _sampled(headers: Headers) -> tuple[bytes, bytes] | None:
    """Return the trace and the span that a charge belongs to, if it is traced.

    >>> _sampled((("traceparent", b"00-%b-%b-01" % (b"a" * 32, b"b" * 16)),)) is None
    False
    >>> _sampled((("traceparent", b"00-%b-%b-00" % (b"a" * 32, b"b" * 16)),)) is None
    True
    """
    for name, value in headers:
        if name == "traceparent" and value and (found := _TRACEPARENT.match(value)):
            of_trace, of_span, flags = found.groups()
            return (of_trace, of_span) if int(flags, 16) & _SAMPLED else None
    return None


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
