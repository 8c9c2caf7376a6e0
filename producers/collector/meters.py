"""What the collector counts of itself; read at /metrics. All on the event loop's thread."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clickstream.telemetry.metrics import BOUNDS, Histogram, MetricName, Sample
from producers.collector.answers import EventAnswer
from producers.puts import Counters

#: Where events come in; other paths are not counted.
EVENTS = "/v1/events"

#: Publisher's counter → its metric.
_COUNTERS: dict[str, MetricName] = {
    "delivered": "clickstream_publisher_delivered_total",
    "failed": "clickstream_publisher_failed_total",
    "records": "clickstream_publisher_records_total",
    "bytes": "clickstream_publisher_bytes_total",
    "throttled": "clickstream_publisher_throttled_total",
    "retried": "clickstream_publisher_retried_total",
    "mispredicted": "clickstream_publisher_mispredicted_total",
    "reput": "clickstream_publisher_reput_total",
}


class Meter:
    """``counters`` and ``pending`` ask the publisher: what it has done, and (events, bytes) that wait for Kinesis."""

    def __init__(
        self, counters: Callable[[], Counters] | None = None, pending: Callable[[], tuple[int, int]] | None = None
    ) -> None:
        self._counters = counters
        self._pending = pending
        self._requests: Counter[int] = Counter()
        self._outcomes: Counter[str] = Counter({"accepted": 0, "rejected": 0, "retry": 0})
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def request(self, status: int, seconds: float) -> None:
        """One request for events was answered."""
        self._requests[status] += 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def events(self, answers: Sequence[EventAnswer]) -> None:
        """What its events came to."""
        for answer in answers:
            self._outcomes[answer.status] += 1

    def samples(self) -> Iterator[Sample]:
        for status, count in sorted(self._requests.items()):
            yield Sample("clickstream_collector_requests_total", count, (str(status),))
        for outcome, count in self._outcomes.items():
            yield Sample("clickstream_collector_events_total", count, (outcome,))
        yield Sample("clickstream_collector_answer_seconds", self._histogram())
        if self._counters is not None:
            counters = self._counters()
            for field, metric in _COUNTERS.items():
                yield Sample(metric, getattr(counters, field))
        if self._pending is not None:
            events, size = self._pending()
            yield Sample("clickstream_publisher_pending_events", events)
            yield Sample("clickstream_publisher_pending_bytes", size)

    def _histogram(self) -> Histogram:
        below, buckets = 0, []
        for bound, count in zip(BOUNDS, self._buckets, strict=False):
            below += count
            buckets.append((bound, below))
        return Histogram(tuple(buckets), sum(self._buckets), self._seconds)


class Metered:
    """ASGI middleware: counts every request for events by its status, with its time; also the refused ones."""

    def __init__(self, app: ASGIApp, *, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != EVENTS:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500  # what a fault of ours is answered with, further out

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._meter.request(status, time.perf_counter() - began)
