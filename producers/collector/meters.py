"""What the collector counts of itself; read at /metrics. All on the event loop's thread."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from clickstream.producers.collector.answers import Answer
from clickstream.telemetry.metrics import BOUNDS, Histogram, MetricName, Sample

if TYPE_CHECKING:
    from clickstream.producers.publisher.kinesis import KinesisPublisher

#: Where events come in.
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
    """Asks the publisher for its part."""

    def __init__(self, publisher: "KinesisPublisher | None" = None) -> None:
        self._publisher = publisher
        self._requests: Counter[int] = Counter()
        self._events: Counter[str] = Counter()
        self._undeclared = 0
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def request(self, status: int, seconds: float) -> None:
        self._requests[status] += 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def events(self, answer: Answer) -> None:
        self._events.update(event.status for event in answer.events)
        self._undeclared += sum(bool(event.not_kept) for event in answer.events)

    def samples(self) -> Iterator[Sample]:
        for status, count in sorted(self._requests.items()):
            yield Sample("clickstream_collector_requests_total", count, (str(status),))
        for outcome in ("accepted", "rejected", "retry"):
            yield Sample("clickstream_collector_events_total", self._events[outcome], (outcome,))
        yield Sample("clickstream_collector_undeclared_total", self._undeclared)
        yield Sample("clickstream_collector_answer_seconds", self._histogram())
        if self._publisher is None:
            return
        counters = self._publisher.counters
        for field, metric in _COUNTERS.items():
            yield Sample(metric, getattr(counters, field))
        events, size = self._publisher.waiting
        yield Sample("clickstream_publisher_pending_events", events)
        yield Sample("clickstream_publisher_pending_bytes", size)
        if (refused := self._publisher.forbidden) is not None:
            yield Sample("clickstream_publisher_forbidden", 1, (refused.action, refused.resource))

    def _histogram(self) -> Histogram:
        below = accumulate(self._buckets)  # the last one counts what is over every bound
        return Histogram(tuple(zip(BOUNDS, below, strict=False)), sum(self._buckets), self._seconds)
