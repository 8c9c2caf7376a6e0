"""A tracing backend for tests: takes OTLP over HTTP and keeps the spans as their protocol has them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Backend:
    """``spans`` as they came; thread-safe to read a copy of."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._spans: list[tuple[str, Span]] = []
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            for group in request.resource_spans:
                service = next(each.value.string_value for each in group.resource.attributes if each.key == "service.name")
                self._spans += [(service, span) for scope in group.scope_spans for span in scope.spans]

    def trace(self, trace_id: str) -> dict[str, tuple[str, Span]]:
        """The spans of one trace by name, with their services."""
        with self._lock:
            return {span.name: (service, span) for service, span in self._spans if span.trace_id.hex() == trace_id}

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return [span for _, span in self._spans]


@contextmanager
def backend() -> Iterator[Backend]:
    """One on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            taking.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taking = Backend(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield taking
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
