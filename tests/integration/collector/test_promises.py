"""What an answer of the collector means, while it is killed, ended, throttled, or the stream goes away under it."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.producers.client import CollectorClient
from clickstream.settings import Settings
from tests.integration.collector.conftest import inject, with_stream
from tests.integration.collector.processes import Running, collector, kinesis
from tests.integration.collector.reading import counted, event_ids, lines
from tests.integration.publisher.stream import open_shards
from tests.unit.collector.conftest import event, purchase

pytestmark = pytest.mark.integration

GONE_SECONDS = 30


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def batch(size: int) -> list[dict[str, Any]]:
    """Events of many users with ids of their own, as a client has them that means to repeat them."""
    now = int(time.time() * 1000)
    return [event(event_id=str(uuid.uuid4()), user_id=f"u-{n}", occurred_at=now) for n in range(size)]


def post(server: Running, body: bytes) -> tuple[int, http.client.HTTPMessage, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/v1/events", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
    finally:
        connection.close()


class Load:
    """Clients that post until they are stopped or the collector is gone; ``acknowledged`` are the ids answered with 200."""

    def __init__(self, server: Running, clients: int = 8) -> None:
        self.acknowledged: list[str] = []
        self.sent: dict[str, dict[str, Any]] = {}
        self._server = server
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while True:
            events = batch(10)
            self.sent.update((each["event_id"], each) for each in events)
            try:
                status, _, _ = post(self._server, json.dumps(events).encode())
            except (OSError, http.client.HTTPException):
                return
            assert status == 200
            self.acknowledged += [each["event_id"] for each in events]

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)


def test_kill_9_under_load_loses_nothing_that_was_answered(settings: Settings) -> None:
    with collector(settings) as server:
        load = Load(server)
        until(lambda: len(load.acknowledged) >= 1_000)
        server.process.send_signal(signal.SIGKILL)
        load.join()
        server.process.wait(10)
    unanswered = load.sent.keys() - set(load.acknowledged)
    assert unanswered, "it was not under load"
    assert event_ids(settings) >= set(load.acknowledged)
    # the clients, who heard nothing, send the rest again to the next collector
    with collector(settings) as server:
        outcomes = CollectorClient(server.url).send([load.sent[event_id] for event_id in unanswered])
        assert {outcome.status for outcome in outcomes} == {"accepted"}
    assert counted(settings)[0] == len(load.sent)


def test_sigterm_answers_what_was_begun_and_takes_no_more(settings: Settings, faults: Callable[..., None]) -> None:
    events = batch(20)
    body = json.dumps(events).encode()
    with collector(settings) as server:
        faults({"kind": "delay", "operation": "PutRecords", "delay_ms": 1_500, "count": 2})
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            head = (
                f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            )
            client.sendall(f"{head}\r\nExpect: 100-continue\r\n\r\n".encode())
            # the collector asks for the body: the request has begun
            assert client.recv(1_000).startswith(b"HTTP/1.1 100 ")
            server.process.send_signal(signal.SIGTERM)
            until(lambda: _refuses(server), 5)
            client.sendall(body)
            answer = http.client.HTTPResponse(client)
            answer.begin()
            assert answer.status == 200
            assert json.loads(answer.read())["accepted"] == 20
            answer.close()
        assert server.process.wait(20) == 0
    assert event_ids(settings) == {each["event_id"] for each in events}


def _refuses(server: Running) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stream_throttled_then_gone_is_503_and_later_all_is_counted_once(tmp_path: Path) -> None:
    sent: list[str] = []
    failed: list[BaseException] = []
    statuses: set[int] = set()
    stop = threading.Event()

    with kinesis(tmp_path / "kinesis") as stream:
        port, settings = stream.port, with_stream(stream.url, tmp_path)
        with collector(settings) as server:

            def client() -> None:
                try:
                    while not stop.is_set():
                        events = batch(10)
                        CollectorClient(server.url).send(events, deadline=120)
                        sent.extend(each["event_id"] for each in events)
                        stop.wait(0.05)
                except BaseException as error:  # noqa: BLE001  # told to the test's own thread
                    failed.append(error)

            clients = [threading.Thread(target=client) for _ in range(4)]
            for thread in clients:
                thread.start()
            until(lambda: len(sent) >= 100)

            inject(
                stream.url,
                *(
                    {"kind": "throttle", "shard_id": each["ShardId"]}
                    for each in open_shards(Clients(settings).kinesis, settings.stream)
                ),
            )
            body = json.dumps(batch(3)).encode()
            status, headers, answer = post(server, body)
            assert (status, headers["Retry-After"]) == (503, "2")
            assert [each["status"] for each in answer["events"]] == ["retry"] * 3
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{server.url}/readyz", timeout=5)
            assert json.loads(caught.value.read())["stuck"] == "stream"
            caught.value.close()

            stream.process.kill()
            stream.process.wait(10)
            back_at = time.monotonic() + GONE_SECONDS
            while time.monotonic() < back_at:
                status, headers, _ = post(server, body)
                statuses.add(status)
                assert headers["Retry-After"] == "2"
            before = len(sent)
            with kinesis(tmp_path / "kinesis", port=port):
                until(lambda: len(sent) >= before + 100, 60)
                stop.set()
                for thread in clients:
                    thread.join(60)
                outcomes = CollectorClient(server.url).send(json.loads(body))
                assert [outcome.status for outcome in outcomes] == ["accepted"] * 3
                events, _ = counted(settings)
    assert failed == []
    assert statuses == {503}
    assert events == len(sent) + 3


def test_a_full_buffer_refuses_at_once(settings: Settings, faults: Callable[..., None]) -> None:
    """Memory is bounded while the stream takes nothing: what does not fit is refused before anybody waits."""
    shards = open_shards(Clients(settings).kinesis, settings.stream)
    with collector(settings) as server:
        faults(*({"kind": "throttle", "shard_id": shard["ShardId"]} for shard in shards))
        events = [event(event_id=str(n), user_id=f"u-{n}", url="x" * 2_000) for n in range(400)]
        body = json.dumps(events).encode()
        answers: list[tuple[int, float]] = []

        def client() -> None:
            began = time.monotonic()
            status, _, _ = post(server, body)
            answers.append((status, time.monotonic() - began))

        # 16 MiB of buffer, and 50 times 0.85 MB that want in
        clients = [threading.Thread(target=client) for _ in range(50)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join(60)
        assert [status for status, _ in answers] == [503] * 50
        at_once, waited = (len([1 for _, spent in answers if (spent < 6) == quick]) for quick in (True, False))
        assert at_once >= 20, "the buffer had no bound"
        assert waited >= 10, "the buffer took nothing"
        assert _resident_mib(server) < 300


def _resident_mib(server: Running) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def test_a_canary_is_in_no_log_and_no_record(settings: Settings) -> None:
    card, mail, address, key = "4242424242424242", "canary@example.com", "198.51.100.77", "ck_canary_key_canary"
    secrets = {"ip": address, "device": mail}
    bodies: list[Any] = [
        purchase(payment_fingerprint=card, card_number=card, email=mail, context=secrets),
        purchase(event_id="e-2", payment_fingerprint=mail, context=secrets),
        [purchase(amount=card, order_id=5, payment_fingerprint=card, context=secrets), {"type": card}, {card: mail}],
        f"[{card} {mail}",
    ]
    with collector(settings) as server:
        for body in bodies:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", "X-Forwarded-For": address}
            for path in (f"/v1/events?key={key}", f"/{card}"):
                for given in (headers, {name: value for name, value in headers.items() if name != "X-Forwarded-For"}):
                    content = (body if isinstance(body, str) else json.dumps(body)).encode()
                    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                    connection.request("POST", path, content, given)
                    connection.getresponse().read()
                    connection.close()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        log = server.log.read_bytes()
    assert event_ids(settings) == {"e-1", "e-2"}
    for secret in (card, mail, address, key, "127.0.0.1"):
        assert all(secret.encode() not in line for line in lines(settings))
        assert secret == "127.0.0.1" or secret.encode() not in log
