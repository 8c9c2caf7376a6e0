"""Which rows are read when, as the data's own time moves; and that a kept stretch is one that was read whole."""

from __future__ import annotations

import msgspec
import pytest

from clickstream.serving.pages.now.spans import SPANS
from clickstream.serving.pages.now.stretch import Stretch, Sum
from tests.unit.serving.shop import NOW, Shop

MINUTE = 60_000
HOUR = 60 * MINUTE


class Reader:
    """Reads what is due from a shop whose visitors never sleep."""

    def __init__(self, name: str, opened_ms: int = 0) -> None:
        self.span = SPANS[name]
        self.stretch = Stretch(self.span, top=8)
        self.shop = Shop(opened_ms=opened_ms)

    def read(self, anchor_ms: int, now_ms: int) -> int | None:
        """The number of windows read."""
        self.shop.now = anchor_ms
        self.shop.asked.clear()
        self.stretch.read(self.shop.rows, anchor_ms, now_ms)
        if not self.shop.asked:
            return None
        ((_, start, end),) = self.shop.asked
        return (end - start) // self.span.rows.ms


@pytest.mark.parametrize("name", SPANS)
def test_the_first_reading_is_of_all(name: str) -> None:
    reader = Reader(name)
    span = reader.span
    assert reader.read(NOW, 1) == span.length_ms * (2 if span.compared else 1) // span.rows.ms
    bars = reader.stretch.bars()
    assert [bar.start for bar in bars] == list(range(bars[0].start, bars[0].start + span.length_ms, span.bar_ms))
    assert bars[-1].start <= NOW < bars[-1].start + span.bar_ms
    assert all(bar.events for bar in bars)
    assert reader.stretch.total is not None
    assert sum(bar.events for bar in bars) == sum(reader.stretch.total.counts.values())
    assert sum(bar.orders for bar in bars) == reader.stretch.total.orders


def test_then_the_newest_windows_alone_are_read() -> None:
    reader = Reader("1h")
    at = NOW // HOUR * HOUR
    reader.read(at, 1)
    assert [reader.read(at + second * 1000, second * 1000) for second in range(1, 5)] == [3] * 4
    hours = Reader("24h")
    hours.read(at, 1)
    assert hours.read(at + 1999, 2000) is None
    assert hours.read(at + 2001, 2001) == 2


@pytest.mark.parametrize("name", SPANS)
def test_small_readings_come_to_the_same_as_one_of_all(name: str) -> None:
    kept = Reader(name, opened_ms=NOW - 40 * MINUTE)
    for second in range(1, 400, 7):
        kept.read(NOW + second * 1000, second * 1000)
    last = NOW + 397_000
    kept.read(last, 397_000 + kept.span.newest_ms)
    fresh = Reader(name, opened_ms=NOW - 40 * MINUTE)
    fresh.read(last, 1)
    assert kept.stretch.bars() == fresh.stretch.bars()
    assert kept.stretch.before == fresh.stretch.before
    assert msgspec.to_builtins(kept.stretch.total) == msgspec.to_builtins(fresh.stretch.total)


@pytest.mark.parametrize("moves", [5 * MINUTE, 300 * MINUTE, -2 * MINUTE])
def test_when_the_time_of_the_data_jumps_no_window_is_missed(moves: int) -> None:
    reader = Reader("1h")
    reader.read(NOW, 1)
    reader.read(NOW + moves, 1000)
    fresh = Reader("1h")
    fresh.read(NOW + moves, 1000)
    assert reader.stretch.bars() == fresh.stretch.bars()
    assert reader.stretch.total == fresh.stretch.total


def test_all_are_read_again_for_late_events() -> None:
    reader = Reader("7d", opened_ms=NOW - 20 * HOUR)
    reader.read(NOW, 1)
    before = reader.stretch.bars()
    reader.shop.opened_ms -= 3 * HOUR  # as if three more hours of events had come late
    whole_ms = reader.span.whole_ms
    assert reader.read(NOW, whole_ms) == 2
    assert reader.stretch.bars() == before
    assert reader.read(NOW, whole_ms + 1) == 168
    fresh = Reader("7d", opened_ms=NOW - 23 * HOUR)
    fresh.read(NOW, 1)
    assert reader.stretch.bars() == fresh.stretch.bars() != before


def test_the_stretch_before_is_told_apart() -> None:
    reader = Reader("1h", opened_ms=NOW - 3 * HOUR)
    reader.read(NOW, 1)
    bars, before = reader.stretch.bars(), reader.stretch.before
    assert isinstance(before, Sum)
    earlier = Reader("1h", opened_ms=NOW - 3 * HOUR)
    # an hour earlier, when its last minute was over
    earlier.read(bars[0].start - 1, 1)
    assert before.events == sum(bar.events for bar in earlier.stretch.bars())
    assert before.orders == sum(bar.orders for bar in earlier.stretch.bars())
    assert Reader("30d").stretch.before is None
