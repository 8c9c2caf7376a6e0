"""When a dependency is left alone, at real boto3 clients whose endpoint answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.consumers.runtime.faults.breakers import Breakers, CircuitOpen
from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.errors import RetryLater, Throttled
from clickstream.failures.outages import translated
from clickstream.settings import Settings

CONDITION = b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}'
THROTTLED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}'


class Service:
    """What the endpoint answers next, and how often it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 500, b"{}"
        self.asked = 0


class Dependency:
    """A guarded DynamoDB client, its breakers, and their clock."""

    def __init__(self, url: str, service: Service) -> None:
        self.service = service
        self.now = 1_000.0
        self.breakers = Breakers(failures=3, reset_s=10, clock=lambda: self.now)
        self._client = Clients(Settings(endpoint_url=url, credentials=("test", "test")), attempts=1).dynamodb
        self.breakers.guard("DynamoDB", self._client)

    def call(self) -> Any:
        with translated("DynamoDB"):
            return self._client.list_tables()


@pytest.fixture
def dependency() -> Iterator[Dependency]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            service.asked += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(service.status)
            self.send_header("Content-Length", str(len(service.body)))
            self.end_headers()
            self.wfile.write(service.body)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Dependency(f"http://127.0.0.1:{server.server_port}", service)
        server.shutdown()
        thread.join()


def _fail(dependency: Dependency, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RetryLater):
            dependency.call()


def test_after_some_failures_in_a_row_it_is_not_called_any_more(dependency: Dependency) -> None:
    _fail(dependency, 3)
    assert dependency.service.asked == 3
    assert dependency.breakers.states() == {"DynamoDB": "open"}
    with pytest.raises(CircuitOpen) as refused:
        dependency.call()
    assert dependency.service.asked == 3
    assert "known to be down" in str(refused.value)


def test_a_success_in_between_starts_the_count_again(dependency: Dependency) -> None:
    _fail(dependency, 2)
    dependency.service.status = 200
    dependency.call()
    dependency.service.status = 503
    _fail(dependency, 2)
    assert dependency.breakers.states() == {}


def test_no_is_an_answer_and_slower_is_a_failure(dependency: Dependency) -> None:
    dependency.service.status, dependency.service.body = 400, CONDITION
    for _ in range(5):
        with pytest.raises(Exception, match="ConditionalCheckFailed"):
            dependency.call()
    assert dependency.breakers.states() == {}
    assert dependency.breakers.last_trouble is None
    dependency.service.body = THROTTLED
    for _ in range(3):
        with pytest.raises(Throttled):
            dependency.call()
    assert dependency.breakers.states() == {"DynamoDB": "open"}
    assert dependency.breakers.last_trouble == dependency.now


def test_who_waits_is_told_how_long() -> None:
    waits: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            return False

    refusals: list[RetryLater] = [CircuitOpen("S3", 7.0), RetryLater("S3: still down")]

    def call() -> str:
        if refusals:
            raise refusals.pop(0)
        return "done"

    patience = Patience(Stop())
    assert patience.call(call) == "done"
    assert 7.0 <= waits[0] <= 7.1
    assert waits[1] <= 0.4


def test_one_call_after_the_reset_time_finds_out(dependency: Dependency) -> None:
    _fail(dependency, 3)
    dependency.now += 10
    assert dependency.breakers.states() == {"DynamoDB": "half-open"}
    _fail(dependency, 1)
    assert dependency.breakers.states() == {"DynamoDB": "open"}, "the trial failed"
    dependency.now += 10
    dependency.service.status = 200
    dependency.call()
    assert dependency.breakers.states() == {}


def test_the_wait_is_over_when_the_clock_says_so(dependency: Dependency) -> None:
    _fail(dependency, 3)
    dependency.now += 9
    with pytest.raises(CircuitOpen) as refused:
        dependency.breakers.admit("DynamoDB")
    assert 0 < refused.value.retry_after_s < 2
    dependency.now += 2
    dependency.breakers.admit("DynamoDB")
