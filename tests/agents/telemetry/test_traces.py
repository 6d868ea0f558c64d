"""Spans as a collector gets them: of charges that are sampled, in their producer's trace."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agents.commands import worker
from agents.telemetry.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(HTTPServer):
    """Takes what is exported to it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805 - as the library calls it
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                request = ExportTraceServiceRequest.FromString(body)
                self.spans += [
                    span
                    for of_resource in request.resource_spans
                    for of_scope in of_resource.scope_spans
                    for span in of_scope.spans
                ]
                handler.send_response(200)
                handler.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        thread = Thread(target=made.serve_forever, args=(0.05,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def traceparent(flags: str) -> tuple[tuple[str, bytes | None], ...]:
    return ("other", None), ("traceparent", f"00-{TRACE}-{SPAN}-{flags}".encode())


def test_sampled_charges_have_a_span_in_the_trace_of_their_producer(collector: Collector) -> None:
    traces = Traces.to(f"http://127.0.0.1:{collector.server_port}/v1/traces")
    headers = [
        traceparent("01"),
        traceparent("00"),
        (),
        (("traceparent", b"none"),),
    ]
    traces.add(headers, [100.25, 100.0, 100.0, 100.0], 100.5, ["block", *["allow"] * 3], 101.0)
    traces.close()
    [span] = collector.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    times_ns = span.start_time_unix_nano, span.end_time_unix_nano
    assert times_ns == (100_250_000_000, 101_000_000_000)
    [event] = span.events
    assert (event.name, event.time_unix_nano) == ("merchant stage", 100_500_000_000)
    told = {each.key: each.value.string_value for each in span.attributes}
    assert told == {"chargewatch.action": "block"}


def test_a_collector_that_is_away_holds_nothing_up() -> None:
    traces = Traces.to("http://127.0.0.1:1/v1/traces")
    traces.add([traceparent("01")], [100.0], 100.5, ["allow"], 101.0)
    traces.close()


def test_what_is_no_address_is_refused() -> None:
    done = CliRunner().invoke(worker.command, env={"CHARGEWATCH_TRACES_URL": "localhost:4318"})
    assert done.exit_code == 2
    assert "CHARGEWATCH_TRACES_URL: expected an http:// or https:// address" in done.output
