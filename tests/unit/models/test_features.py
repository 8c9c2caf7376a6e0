"""The feature engine's bounds, and what it makes of bad rows."""

from __future__ import annotations

import math

import msgspec
import pytest

from clickstream.models.features.definitions import DAY_MS, HOUR_MS, Aggregate, Calendar, FeatureSet, Own, Rolling, Track
from clickstream.models.features.engine import Engine, State
from clickstream.models.features.plans import CALENDAR
from clickstream.models.features.reading import Row

NOON = 1_780_000_000_000
LIMIT = 4


def features(columns: tuple[str, ...] = ("amount",), window_ms: int = DAY_MS) -> FeatureSet:
    return FeatureSet(
        name="test",
        tracks=(Track(name="paid", key="user", kinds=("buy",), columns=columns, limit=LIMIT),),
        features=(
            Rolling(name="count", track="paid", aggregate=Aggregate.COUNT, window_ms=window_ms),
            Rolling(name="mean", track="paid", aggregate=Aggregate.MEAN, column="amount", window_ms=window_ms),
            Own(name="own", field="amount"),
        ),
        lateness_ms=HOUR_MS,
    )


def buy(engine: Engine, time_ms: int, amount: float | str | None = 1.0, user: str = "ann") -> list[float]:
    return engine.vector("buy", time_ms, {"user": user, "amount": amount})


def test_the_windows_start_is_outside_and_its_end_inside() -> None:
    engine = Engine(features())
    buy(engine, NOON)
    assert buy(engine, NOON + DAY_MS - 1)[0] == 2
    assert buy(engine, NOON + DAY_MS)[0] == 2  # the first has left


def test_counts_saturate_at_the_tracks_limit() -> None:
    engine = Engine(features())
    counts = [buy(engine, NOON + n, amount=float(n)) for n in range(10)]
    assert [count for count, *_ in counts] == [1, 2, 3, 4, 4, 4, 4, 4, 4, 4]
    assert counts[-1][1] == (6 + 7 + 8 + 9) / 4
    late = buy(engine, NOON - HOUR_MS, amount=50.0)
    assert late[:2] == [1, 50], "the row itself is always among those it sees"


def test_idle_keys_leave_memory_by_event_time() -> None:
    engine = Engine(features())
    for hour in range(0, 24 * 10):
        buy(engine, NOON + hour * HOUR_MS, user=f"user-{hour}")
        assert len(engine) <= 24 + 1 + 1 + 2  # window, lateness, the row itself, a step of a sixteenth


def test_one_clock_that_is_years_ahead_expires_nobody() -> None:
    engine = Engine(features())
    buy(engine, NOON)
    buy(engine, NOON + 20_000 * DAY_MS, user="bob")
    assert buy(engine, NOON + HOUR_MS)[0] == 2


def test_a_row_later_than_allowed_still_gets_a_vector() -> None:
    engine = Engine(features())
    for hour in range(100):
        buy(engine, NOON + hour * HOUR_MS)
    assert buy(engine, NOON - 50 * DAY_MS, amount=9.0) == [1, 9, 9]


@pytest.mark.parametrize("row", [{}, {"user": ""}, {"user": None}, {"user": 7}], ids=str)
def test_a_row_without_key_is_nobodys(row: Row) -> None:
    engine = Engine(features())
    count, mean, own = engine.vector("buy", NOON, row)
    assert count == 0
    assert math.isnan(mean)
    assert math.isnan(own)
    assert len(engine) == 0


def test_missing_values_are_left_out_but_the_row_counts() -> None:
    engine = Engine(features())
    buy(engine, NOON, amount=None)
    count, mean, _ = buy(engine, NOON + 1, amount=5.0)
    assert (count, mean) == (2, 5)


def test_a_kind_that_no_track_keeps_only_reads() -> None:
    engine = Engine(features())
    buy(engine, NOON)
    assert engine.vector("look", NOON + 1, {"user": "ann"})[0] == 1
    assert engine.vector("look", NOON + 2, {"user": "ann"})[0] == 1


def test_tracks_that_mean_something_else_now_start_empty() -> None:
    old = Engine(features(("amount", "device")))
    buy(old, NOON)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(old.snapshot()), type=State)
    new = Engine(features())
    new.restore(state)
    assert buy(new, NOON + 1)[0] == 1


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Calendar.Part.HOUR, [20, 6, 7]),
        (Calendar.Part.WEEKDAY, [3, 5, 6]),
        (Calendar.Part.WEEKEND, [0, 1, 1]),
        (Calendar.Part.NIGHT, [0, 1, 0]),
    ],
)
def test_calendar(part: Calendar.Part, expected: list[float]) -> None:
    # Thursday 2026-05-28 20:26:40, Saturday 06:59:59.999, Sunday 07:00 (UTC)
    times = [NOON, 1_780_124_399_999, 1_780_210_800_000]
    assert [CALENDAR[part](time_ms) for time_ms in times] == expected


def test_rows_with_more_than_a_key_have_no_short_way() -> None:
    with pytest.raises(ValueError, match="'buy'"):
        Engine(features()).observer("buy")


def test_what_came_later_than_allowed_depends_on_no_sweep() -> None:
    """Two rows of one user, both long expired: between them one engine is restored, which sweeps, the other is not."""
    whole, restored = Engine(features()), Engine(features())
    for hour in range(100):
        buy(whole, NOON + hour * HOUR_MS)
    buy(whole, NOON - HOUR_MS)
    restored.restore(whole.snapshot())
    assert buy(whole, NOON - HOUR_MS) == buy(restored, NOON - HOUR_MS) == [1, 1, 1]
    after = NOON + 100 * HOUR_MS
    assert buy(whole, after) == buy(restored, after)


def test_a_definition_that_refers_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no track"):
        features(columns=("price",))


def test_the_signature_is_of_the_definition() -> None:
    assert features().signature == features().signature
    assert features().signature != features(window_ms=HOUR_MS).signature
