"""The two ways in: straight to Kinesis with the project's publisher, or to the collector over HTTP."""

from __future__ import annotations

import http.client
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import urlsplit
from zlib import crc32

import msgspec

from clickstream.errors import RetryLater, TooLarge, UserMistake
from clickstream.load.driving.driver import Acknowledgements, Sender
from clickstream.load.traffic.faults import Emission
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.puts import Settled
from clickstream.settings import Settings

#: Connections to the collector; a user's events all go through the same one, in order.
CONNECTIONS = 4
#: Events per request; the collector takes 500.
_BATCH = 250
#: And bytes; it takes a mebibyte.
_BATCH_BYTES = 500_000
#: Requests wait for company for so long.
_LINGER_S = 0.02
#: Records that wait for a connection; beyond it the sender waits.
_WAITING = 20_000
_TIMEOUT_S = 30.0
#: An event that the collector has not taken after so long has failed.
_TRYING_S = 60.0
_PAUSE_S = 0.5
_REFUSALS = (400, 413, 422)
_LATER = (408, 429, 503)


class Putter(Protocol):
    """What is needed of the publisher: it waits at its memory bound, and calls back when Kinesis has the record."""

    def put_raw(self, key: str, data: bytes, on_settled: Callable[[Settled], None] | None = None) -> None: ...

    def flush(self, timeout: float | None = None) -> None: ...


class ViaKinesis:
    """See ``clickstream.load.driving.driver.Sender``."""

    def __init__(self, publisher: Putter, acknowledgements: Acknowledgements) -> None:
        self._publisher = publisher
        self._acknowledgements = acknowledgements

    def send(self, emission: Emission, intended: float) -> None:
        try:
            self._publisher.put_raw(emission.key, emission.data, self._acknowledgements.of(intended))
        except TooLarge:
            self._acknowledgements.refuse()

    def flush(self, timeout_s: float) -> None:
        self._publisher.flush(timeout_s)


class _Status(msgspec.Struct):
    status: str = ""


class _Answer(msgspec.Struct):
    events: list[_Status] = []


Waiting = tuple[Emission, float]


class ViaHttp:
    """See ``load.driving.driver.Sender``: NDJSON by ``POST /v1/events``, the answers read; what is no event goes alone."""

    def __init__(self, url: str, key: str, acknowledgements: Acknowledgements) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise UserMistake(f"{url} is no http address", hint="--url http://127.0.0.1:8081")
        self._address = (parts.hostname, parts.port or 80)
        self._headers = {"Content-Type": "application/x-ndjson"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._acknowledgements = acknowledgements
        self._queues = [queue.Queue[Waiting | None](_WAITING // CONNECTIONS) for _ in range(CONNECTIONS)]
        self._threads = [
            threading.Thread(target=self._run, args=(waiting,), name=f"http-{n}", daemon=True)
            for n, waiting in enumerate(self._queues)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, emission: Emission, intended: float) -> None:
        self._queues[crc32(emission.key.encode()) % CONNECTIONS].put((emission, intended))

    def flush(self, timeout_s: float) -> None:
        """Also the end: nothing may be sent afterwards."""
        for waiting in self._queues:
            waiting.put(None)
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise RetryLater(f"the collector did not take everything within {timeout_s:g} s")

    def _run(self, waiting: queue.Queue[Waiting | None]) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)
        for batch in _batches(waiting):
            self._deliver(connection, batch)
        connection.close()

    def _deliver(self, connection: http.client.HTTPConnection, batch: Sequence[Waiting]) -> None:
        until = time.monotonic() + _TRYING_S
        left = list(batch)
        while left:
            left = self._post(connection, left)
            if left and time.monotonic() > until:
                for _ in left:
                    self._acknowledgements.fail(RetryLater("the collector did not take it in time"))
                return
            if left:
                time.sleep(_PAUSE_S)

    def _post(self, connection: http.client.HTTPConnection, batch: Sequence[Waiting]) -> list[Waiting]:
        """What must be sent again: the same ids make it harmless when it had been taken after all."""
        body = b"\n".join(emission.data for emission, _ in batch)
        try:
            connection.request("POST", "/v1/events", body, self._headers)
            answer = connection.getresponse()
            content, status = answer.read(), answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
            return list(batch)
        statuses = _statuses(content)
        if len(statuses) != len(batch):
            # an answer about the whole body
            statuses = ["rejected" if status in _REFUSALS else "retry" if status in _LATER else "failed"] * len(batch)
        again: list[Waiting] = []
        for waiting, one in zip(batch, statuses, strict=True):
            if one == "accepted":
                self._acknowledgements.deliver(waiting[1])
            elif one == "rejected":
                self._acknowledgements.refuse()
            elif one == "retry":
                again.append(waiting)
            else:
                self._acknowledgements.fail(RetryLater(f"the collector says {status}"))
        return again


def _statuses(content: bytes) -> list[str]:
    try:
        return [event.status for event in msgspec.json.decode(content, type=_Answer).events]
    except msgspec.MsgspecError:
        return []


def _batches(waiting: queue.Queue[Waiting | None]) -> Iterator[list[Waiting]]:
    """What has gathered, in order, until None comes; records that are no events are batches of their own."""
    batch: list[Waiting] = []
    until, size = 0.0, 0
    while True:
        try:
            one = waiting.get(timeout=max(0.0, until - time.monotonic()) if batch else None)
        except queue.Empty:
            yield batch
            batch = []
            continue
        is_event = one is not None and one[0].event is not None
        if batch and (not is_event or len(batch) == _BATCH or size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        if one is None:
            return
        if not is_event:
            yield [one]
            continue
        if not batch:
            until, size = time.monotonic() + _LINGER_S, 0
        batch.append(one)
        size += len(one[0].data)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Which way in: ``url`` is the collector's, "" means Kinesis; ``key`` its API key, if it wants one."""

    url: str = ""
    key: str = ""

    def endpoint(self, settings: Settings) -> str | None:
        return self.url or settings.endpoint("kinesis")


@contextmanager
def sender(route: Route, settings: Settings, acknowledgements: Acknowledgements) -> Iterator[Sender]:
    """A sender for a run; raises Missing without the stream."""
    if route.url:
        yield ViaHttp(route.url, route.key, acknowledgements)
        return
    with KinesisPublisher(settings) as publisher:
        yield ViaKinesis(publisher, acknowledgements)
