"""The fault-injecting proxy itself, over plain sockets: an instrument that lies would prove anything."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.integration.drills.rig.proxy import FAIR, HOST, Proxy, Weather


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    listener = socket.create_server((HOST, 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except ConnectionError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the fixture closed it
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(echo) as proxy:
        yield proxy


def _connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=10)


def _ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        answer += connection.recv(65_536)
    return answer


def test_in_fair_weather_every_byte_passes_and_so_does_the_end(proxy: Proxy) -> None:
    with _connect(proxy) as connection:
        data = bytes(range(256)) * 2_000
        assert _ask(connection, data) == data
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert proxy.connections == 1


def test_refused_means_refused_until_it_is_fair_again(proxy: Proxy) -> None:
    with _connect(proxy) as before:
        _ask(before, b"accepted")
        proxy.set(Weather(refuse=True))
        with pytest.raises(ConnectionRefusedError):
            _connect(proxy)
        assert _ask(before, b"still open") == b"still open"
        proxy.set(FAIR)
        with _connect(proxy) as after:
            assert _ask(after, b"back") == b"back"


def test_a_reset_ends_open_connections_and_no_later_ones(proxy: Proxy) -> None:
    with _connect(proxy) as before:
        _ask(before, b"open")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            before.recv(1)
        with _connect(proxy) as after:
            assert _ask(after, b"new") == b"new"


def test_a_black_hole_holds_bytes_back_and_lets_them_go(proxy: Proxy) -> None:
    with _connect(proxy) as connection:
        proxy.set(Weather(black_hole=True))
        connection.sendall(b"late")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(4)
        proxy.set(FAIR)
        connection.settimeout(10)
        assert connection.recv(4) == b"late"


@pytest.mark.parametrize(
    ("weather", "at_least_s"), [(Weather(latency_s=0.15), 0.3), (Weather(bytes_per_s=10_000), 0.3)], ids=["latency", "throttle"]
)
def test_slow_is_as_slow_as_it_was_told(proxy: Proxy, weather: Weather, at_least_s: float) -> None:
    with _connect(proxy) as connection:
        proxy.set(weather)
        began = time.monotonic()
        _ask(connection, b"x" * 3_000)
        assert time.monotonic() - began >= at_least_s


def test_what_was_on_its_way_slowly_goes_on_quickly(proxy: Proxy) -> None:
    with _connect(proxy) as connection:
        proxy.set(Weather(bytes_per_s=100))
        connection.sendall(b"x" * 30_000)
        assert connection.recv(65_536)
        proxy.set(FAIR)
        # at 100 bytes a second this would take five minutes, and the socket's own time-out is ten seconds
        received = 0
        while received < 29_000:
            received += len(connection.recv(65_536))
