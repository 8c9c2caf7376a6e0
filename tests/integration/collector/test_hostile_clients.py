"""Clients that are slow, silent, or speak no HTTP: each is got rid of in bounded time, and nobody else notices."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import NamedTuple

import pytest

from clickstream.producers.collector import server as web
from clickstream.producers.collector.app import Clocks, Timeouts, create_app
from clickstream.producers.collector.clients.fingerprints import Fingerprints
from clickstream.web.listening import listen
from clickstream.web.server import Server
from tests.unit.collector.conftest import event
from tests.unit.collector.stream import Stream

pytestmark = pytest.mark.integration

MEMORY = 3_000_000
SOON = 5.0
"""Far beyond the time-outs that these tests set."""


class Running(NamedTuple):
    server: Server
    port: int

    def within(self, seconds: float, connections: int) -> bool:
        """Whether it comes to hold so many connections."""
        until = time.monotonic() + seconds
        while len(self.server.server_state.connections) != connections:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A real server, in a thread, whose patience is a fraction of a second."""
    monkeypatch.setattr(web, "HEAD_S", 0.4)
    monkeypatch.setattr(web, "ANSWER_S", 0.4)
    listener = listen("127.0.0.1", 0)
    # accepted sockets inherit it: what a client leaves unread soon stands in our memory instead of the kernel's
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    address: int = listener.getsockname()[1]
    app = create_app(
        Stream(),
        Fingerprints(b"a secret of the test"),
        Clocks(monotonic=time.monotonic, wall_ms=lambda: 1_764_000_000_000),
        keys=None,
        timeouts=Timeouts(body=0.4, acknowledgement=1.0),
        memory=MEMORY,
    )
    ready = threading.Event()
    server = web.server(app, on_ready=ready.set, on_stop=app.state.drain)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    assert ready.wait(10)
    yield Running(server, address)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def port(running: Running) -> int:
    return running.port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SOON)


def said(client: socket.socket) -> bytes:
    """All that the server says until it closes; TimeoutError when it does not close soon."""
    answer = b""
    try:
        while chunk := client.recv(65_536):
            answer += chunk
    except ConnectionResetError:
        pass
    return answer


def works(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    try:
        connection.request("POST", "/v1/events", json.dumps(event()), {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    finally:
        connection.close()


def dribble(client: socket.socket, content: bytes) -> None:
    """Send byte by byte until the server closes the connection, which it must do soon."""
    until = time.monotonic() + SOON
    try:
        for byte in content:
            assert time.monotonic() < until
            client.sendall(bytes([byte]))
            time.sleep(0.01)  # the slowness is what is tested
    except (ConnectionResetError, BrokenPipeError):
        return
    raise AssertionError("all was sent")


HEAD = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("sent", [b"", b"P", HEAD, HEAD + b"X-Slow: "])
def test_a_head_that_does_not_come_is_not_waited_for(port: int, sent: bytes) -> None:
    clients = [connect(port) for _ in range(50)]
    for client in clients:
        client.sendall(sent)
    assert works(port)
    for client in clients:
        assert said(client) == b""
        client.close()


def test_a_head_byte_by_byte_is_not_waited_for(port: int) -> None:
    with connect(port) as client:
        dribble(client, HEAD * 100)
    assert works(port)


def test_a_second_head_on_a_used_connection_is_not_waited_for_either(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
        answer.close()
        client.sendall(HEAD)
        assert said(client) == b""


def test_a_body_that_does_not_come_is_408(port: int) -> None:
    with connect(port) as client:
        client.sendall(HEAD + b"Content-Length: 100\r\nConnection: close\r\n\r\n[")
        assert said(client).startswith(b"HTTP/1.1 408 ")


def test_a_refused_body_is_not_read_for_ever(port: int) -> None:
    with connect(port) as client:
        client.sendall(HEAD + b"Content-Length: 2000000\r\n\r\n")
        dribble(client, bytes(10_000))
    assert works(port)


def test_bodies_that_dawdle_share_a_bounded_memory(port: int) -> None:
    clients = [connect(port) for _ in range(8)]
    body = bytes(1_000_000)
    for client in clients:
        client.sendall(HEAD + b"Content-Length: 1000001\r\nConnection: close\r\n\r\n")
        try:
            client.sendall(body)
        except (ConnectionResetError, BrokenPipeError):
            continue  # refused in the middle of it
    answers = [said(client)[:12] for client in clients]
    for client in clients:
        client.close()
    assert b"HTTP/1.1 503" in answers
    assert set(answers) <= {b"HTTP/1.1 503", b"HTTP/1.1 408", b""}
    assert works(port)


def _send(client: socket.socket, content: bytes) -> None:
    with suppress(OSError):  # let go before all of it was sent
        client.sendall(content)


@pytest.mark.parametrize("requests", [1, 2, 100])
def test_who_does_not_read_the_answer_is_let_go(running: Running, requests: int) -> None:
    """Each request is answered with hundreds of kilobytes, of which the sockets take few; all are sent at once."""
    wrong = b"[" + b",".join([b'{"type":"purchase"}'] * 500) + b"]"
    asked = HEAD + b"Content-Length: %d\r\n\r\n" % len(wrong) + wrong
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.settimeout(SOON)
        client.connect(("127.0.0.1", running.port))
        assert running.within(SOON, connections=1)
        threading.Thread(target=_send, args=(client, asked * requests)).start()
        assert running.within(SOON, connections=0), "its connection stays"
        assert len(said(client)) < 100_000
    assert works(running.port)


def test_noise_is_no_fault(port: int) -> None:
    random = Random(5)
    noise = [random.randbytes(random.randrange(1, 2_000)) for _ in range(40)]
    noise += [b"GET " + random.randbytes(50) + b" HTTP/1.1\r\n\r\n" for _ in range(10)]
    noise += [HEAD + b"Content-Length: -1\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"X" * 100_000]
    for bytes_sent in noise:
        with connect(port) as client:
            try:
                client.sendall(bytes_sent)
                client.shutdown(socket.SHUT_WR)
            except (ConnectionResetError, BrokenPipeError, OSError):
                continue
            answer = said(client)
        assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 403", b"HTTP/1.1 405", b"HTTP/1.1 408")
    assert works(port)
