"""Put to visible effect, sampled: what a person at the dashboard waits for an event."""

from collections.abc import Sequence

from hdrh.histogram import HdrHistogram

from clickstream.consumers.runtime.loop.wire import Record

_HIGHEST_MS = 3_600_000
_DIGITS = 2
_SAMPLES_PER_BATCH = 16


class LatencySamples:
    """Arrival times (ms, Kinesis's clock) of some records of each batch; latencies once their effects are written."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _HIGHEST_MS, _DIGITS)
        self._waiting: list[int] = []
        self._in_flight: list[int] = []

    def arrived(self, records: Sequence[Record]) -> None:
        step = max(1, len(records) // _SAMPLES_PER_BATCH)
        self._waiting += [record.approximate_arrival_timestamp for record in records[::step]]

    def write_started(self) -> None:
        self._in_flight, self._waiting = self._waiting, []

    def write_ended(self, now_ms: int) -> None:
        for arrived_ms in self._in_flight:
            self._histogram.record_value(min(_HIGHEST_MS, max(1, now_ms - arrived_ms)))
        self._in_flight = []

    def encoded(self) -> str:
        """The histogram since the process started, in HdrHistogram's base64 form; empty without a value."""
        if not self._histogram.get_total_count():
            return ""
        encoded: bytes = self._histogram.encode()
        return encoded.decode()
