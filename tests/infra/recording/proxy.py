"""An HTTP/1.1 proxy on loopback before ministack, and a front for our Kinesis, that write down who asked for what."""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.infra.recording.operations import Request

HOST = "127.0.0.1"
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length", "te"})


class RecordingProxy:
    """Forwards ``127.0.0.1:port`` to ``127.0.0.1:target`` and tells ``seen`` of each request; a context manager."""

    def __init__(self, target: int, seen: Callable[[Request], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen(Request(method=self.command, target=self.path, headers=headers, body=_plain(headers, body)))
                passed = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
                upstream = http.client.HTTPConnection(HOST, target, timeout=60)
                try:
                    upstream.request(self.command, self.path, body=body, headers=passed)
                    answer = upstream.getresponse()
                    data = answer.read()
                finally:
                    upstream.close()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                # a HEAD's length is the object's, of which nothing comes
                self.send_header(
                    "Content-Length", answer.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
                )
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # names of the base class

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the recording is the log."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="recording-proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _plain(headers: dict[str, str], body: bytes) -> bytes:
    """The body without the framing of ``aws-chunked``; only DynamoDB's, SQS's and SNS's are read, and they have none."""
    return b"" if "aws-chunked" in headers.get("content-encoding", "") else body


def serve_kinesis() -> int:
    """``python -m tests.infra.recording.proxy``: our Kinesis, which prints who called what on stdout, separated by a tab."""
    from clickstream.infra.local.kinesis import server
    from clickstream.infra.local.kinesis.http import app

    class Recorded(app.KinesisApp):
        async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]  # the base class has the types
            if scope["type"] == "http":
                headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
                if "x-amz-target" in headers:
                    sys.stdout.write(f"{headers['authorization']}\t{headers['x-amz-target']}\n")
                    sys.stdout.flush()
            await super().__call__(scope, receive, send)

    server.KinesisApp = Recorded  # type: ignore[attr-defined]  # where the server takes its application from
    return server.main()


if __name__ == "__main__":
    sys.exit(serve_kinesis())
