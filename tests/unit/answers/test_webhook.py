"""Webhooks against real sockets: what each answer asks of the worker, and that nobody can hold it up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from clickstream.answers.webhook import REST_S, Webhook
from clickstream.errors import ClickstreamError, Forbidden, RetryLater, Throttled, Unwritable

Serve = Callable[[Callable[[socket.socket], None]], tuple[str, list[bytes]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that does this with each connection, once its request is there; its URL, and the requests."""
    listening: list[socket.socket] = []

    def start(answer: Callable[[socket.socket], None]) -> tuple[str, list[bytes]]:
        requests: list[bytes] = []
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    request = b""
                    while b"\r\n\r\n" not in request or not request.endswith(b"}"):
                        request += connection.recv(65_536)
                    requests.append(request)
                    try:
                        answer(connection)
                    except OSError:
                        continue  # the client has gone

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/secret?of=ann", requests

    yield start
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def answers(status: int, more: bytes = b"") -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(b"HTTP/1.1 %d x\r\n%scontent-length: 0\r\n\r\n" % (status, more))


def test_a_message_is_one_post_that_names_its_identity(serve: Serve) -> None:
    url, requests = serve(answers(202))
    Webhook("told", url)("ann:1", "0af3", b'{"n":1}')
    ((head, _, body),) = (request.partition(b"\r\n\r\n") for request in requests)
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /secret?of=ann HTTP/1.1"
    assert {'idempotency-key: "0af3"', "content-type: application/json"} <= {line.lower() for line in headers}
    assert body == b'{"n":1}'


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, RetryLater) for status in (408, 409, 425, 500, 502, 503, 504)),
        (429, Throttled),
        *((status, Unwritable) for status in (400, 406, 413, 415, 422)),
        *((status, Forbidden) for status in (301, 302, 307, 308, 401, 403, 404, 405, 410)),
    ],
)
def test_an_answer_says_what_to_do(serve: Serve, status: int, kind: type[ClickstreamError]) -> None:
    url, requests = serve(answers(status, b"location: http://127.0.0.1:9/elsewhere\r\n"))
    with pytest.raises(ClickstreamError) as refused:
        Webhook("told", url)("ann:1", "0af3", b"{}")
    assert type(refused.value) is kind
    assert str(status) in str(refused.value)
    assert "secret" not in str(refused.value)
    assert len(requests) == 1


def _drips(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)  # well within any timeout of one read


def _hangs_up(_: socket.socket) -> None: ...


def _speaks_ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0\r\n\r\n")


def _puts_off(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000)


@pytest.mark.parametrize("answer", [_drips, _puts_off, _hangs_up, _speaks_ssh])
def test_a_server_that_does_not_answer_is_asked_later(serve: Serve, answer: Callable[[socket.socket], None]) -> None:
    url, _ = serve(answer)
    done = threading.Event()

    def post() -> None:
        with pytest.raises(RetryLater):
            Webhook("told", url, timeout_s=0.3)("ann:1", "0af3", b"{}")
        done.set()

    threading.Thread(target=post, daemon=True).start()
    assert done.wait(30), "it holds the worker up"


def test_after_a_failure_it_rests(serve: Serve) -> None:
    url, requests = serve(answers(503))
    now = [100.0]
    webhook = Webhook("told", url, clock=lambda: now[0])
    for after_s, asked in ((0.0, 1), (REST_S / 2, 1), (REST_S, 2)):
        now[0] = 100.0 + after_s
        with pytest.raises(RetryLater):
            webhook("ann:1", "0af3", b"{}")
        assert len(requests) == asked


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    with pytest.raises(RetryLater, match="told"):
        Webhook("told", url)("ann:1", "0af3", b"{}")
