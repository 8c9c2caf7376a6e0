from __future__ import annotations

import pytest

from clickstream.consumers.analytics.windows import (
    DAY,
    HOUR,
    MINUTE_MS,
    RETENTION,
    Granularity,
    Window,
    partitions,
    start_of,
    turn_at,
    window_of,
)

NOON = 12 * HOUR


@pytest.mark.parametrize(
    ("minute", "width", "watermark", "expected"),
    [
        (NOON, 1, NOON, Window(1, NOON, 0)),
        (NOON + 7, HOUR, NOON + 7, Window(HOUR, NOON, 0)),
        # open until the watermark is RETENTION minutes past the end
        (NOON, 1, NOON + 1 + RETENTION - 1, Window(1, NOON, 0)),
        (NOON, 1, NOON + 1 + RETENTION, Window(1, NOON, 1 + (NOON + 16) // 15)),
        (NOON, HOUR, NOON + 60 + RETENTION - 1, Window(HOUR, NOON, 0)),
        (NOON, HOUR, NOON + 60 + RETENTION, Window(HOUR, NOON, 1 + (NOON + 75) // 15)),
        # a late part takes a quarter of an hour of watermarks
        (0, 1, 8 * RETENTION - 1, Window(1, 0, 8)),
        (0, 1, 8 * RETENTION, Window(1, 0, 9)),
    ],
)
def test_the_part_of_a_window_follows_from_the_watermark(minute: int, width: int, watermark: int, expected: Window) -> None:
    assert window_of(minute, width, watermark, turn_at(watermark)) == expected


def test_a_settled_part_is_never_touched_again_and_others_still_can_be() -> None:
    for minute in range(0, 200, 7):
        for width in (1, HOUR):
            touched = {window_of(minute, width, watermark, turn_at(watermark)): watermark for watermark in range(minute, 405)}
            for window, last in touched.items():
                assert not window.is_settled(last, turn_at(last))
                assert window.is_settled(last + 1, turn_at(last + 1))


def test_an_hour_is_the_sum_of_its_minutes_parts() -> None:
    """Every event's hour follows from its minute's part alone."""
    for minute in range(0, 130):
        for watermark in range(minute, 400):
            turn = turn_at(watermark)
            assert window_of(minute, 1, watermark, turn).hour() == window_of(minute, HOUR, watermark, turn)


def test_rows_are_addressed_by_day_and_month_and_sort_by_time() -> None:
    start = 1_795_564_740_000 // MINUTE_MS  # 2026-11-24T23:59Z
    minute = Window(1, start, 0)
    assert minute.partition == "minute#2026-11-24"
    assert Window(1, start + 1, 0).partition == "minute#2026-11-25"
    assert minute.hour().partition == "hour#2026-11"
    assert minute.sort_key("shardId-000000000001") == "01795564740000#shardId-000000000001#0"
    assert start_of(minute.sort_key("s")) == start * MINUTE_MS
    assert minute.sort_key("z") < Window(1, start + 1, 0).sort_key("a")


def test_partitions_cover_a_stretch_without_gap() -> None:
    start_ms = 1_795_564_740_000
    assert partitions(1, start_ms, start_ms + MINUTE_MS) == ["minute#2026-11-24"]
    assert partitions(1, start_ms, start_ms + MINUTE_MS + 1) == ["minute#2026-11-24", "minute#2026-11-25"]
    assert partitions(HOUR, start_ms, start_ms + 40 * DAY * MINUTE_MS) == ["hour#2026-11", "hour#2026-12", "hour#2027-01"]
    assert partitions(1, start_ms, start_ms) == []


@pytest.mark.parametrize("granularity", list(Granularity))
def test_the_floor_is_the_window_that_holds_the_moment(granularity: Granularity) -> None:
    floor = granularity.floor_ms(1_795_564_740_123)
    assert floor % granularity.ms == 0
    assert 0 <= 1_795_564_740_123 - floor < granularity.ms
