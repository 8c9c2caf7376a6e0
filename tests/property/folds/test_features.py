"""The feature engine against brute force: every row looks through all rows that arrived up to it."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.models.features.definitions import Aggregate, FeatureSet, Own, Rolling, Track
from clickstream.models.features.engine import Engine, State
from clickstream.models.features.reading import Row
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key

HOUR = 3_600_000
#: No restriction of memory shows within it: that is for the unit tests.
LATENESS = 30 * HOUR
WINDOWS = (1 * HOUR, 5 * HOUR)
DELAY = 2 * HOUR
HALVES = (HashRange.of(0, MAX_HASH_KEY // 2), HashRange.of(MAX_HASH_KEY // 2 + 1, MAX_HASH_KEY))

FEATURES = FeatureSet(
    name="test",
    tracks=(
        Track(name="paid", key="user", kinds=("buy",), columns=("amount", "device")),
        Track(name="acts", key="user", kinds=("buy", "view")),
    ),
    features=(
        Own(name="amount", field="amount"),
        *(
            Rolling(
                name=f"{aggregate}-{track}-{column}-{window}-{delay}",
                track=track,
                aggregate=aggregate,
                column=column,
                window_ms=window,
                delay_ms=delay,
            )
            for window in WINDOWS
            for delay in (0, DELAY)
            for track, columns in (("paid", ("amount", "device")), ("acts", ("",)))
            for column in columns
            for aggregate in Aggregate
            if column or aggregate in (Aggregate.COUNT, Aggregate.SINCE)
        ),
    ),
    lateness_ms=LATENESS,
)


class Arrived(NamedTuple):
    kind: str
    time_ms: int
    row: Row


arrivals = st.lists(
    st.builds(
        Arrived,
        st.sampled_from(["buy", "view"]),
        # whole half hours, so that ties and window edges are frequent, and in any order
        st.integers(10, 40).map(lambda half: half * HOUR // 2),
        st.fixed_dictionaries(
            {"user": st.sampled_from(["ann", "bob", "cid"])},
            optional={"amount": st.sampled_from([None, 0, 1, 7.25, 100]), "device": st.sampled_from(["", "a", "b"])},
        ),
    ),
    max_size=40,
)


def brute_force(rows: list[Arrived], feature: Rolling, track: Track) -> float:
    """The feature of the last row, from the definition alone."""
    row = rows[-1]
    to = row.time_ms - feature.delay_ms
    seen = [
        (other.time_ms, other.row.get(feature.column), other is row)
        for other in rows
        if other.kind in track.kinds
        and other.row[track.key] == row.row[track.key]
        and to - feature.window_ms < other.time_ms <= to
    ]
    earlier = [time_ms for time_ms, _, own in seen if not own]
    values = [value for _, value, _ in seen if value not in (None, "")]
    earlier_values = [value for _, value, own in seen if not own and value not in (None, "")]
    numbers = [float(value) for value in earlier_values if not isinstance(value, str)]
    mine = row.row.get(feature.column)
    match feature.aggregate:
        case Aggregate.COUNT:
            return len(seen)
        case Aggregate.SUM:
            return sum(map(float, values)) if values else math.nan
        case Aggregate.MEAN:
            return sum(map(float, values)) / len(values) if values else math.nan
        case Aggregate.DISTINCT:
            return len(set(values)) if values else math.nan
        case Aggregate.SINCE:
            return (row.time_ms - max(earlier)) / 1000 if earlier else math.nan
        case Aggregate.RATIO:
            usual = sum(numbers) / len(numbers) if numbers else 0
            return float(mine) / usual if usual > 0 and mine is not None else math.nan
        case Aggregate.NOVEL:
            return float(mine not in earlier_values) if earlier_values and mine not in (None, "") else math.nan


def asked(feature: Rolling) -> bool:
    """Sums of texts mean nothing."""
    return feature.column != "device" or feature.aggregate not in (Aggregate.SUM, Aggregate.MEAN, Aggregate.RATIO)


def assert_brute_force(rows: list[Arrived], vectors: list[list[float]]) -> None:
    tracks = {track.name: track for track in FEATURES.tracks}
    for n, vector in enumerate(vectors):
        for feature, ours in zip(FEATURES.features, vector, strict=True):
            if isinstance(feature, Rolling) and asked(feature):
                expected = brute_force(rows[: n + 1], feature, tracks[feature.track])
                assert math.isclose(ours, expected) or (math.isnan(ours) and math.isnan(expected)), (n, feature.name)


def vectors_of(engine: Engine, rows: list[Arrived]) -> list[list[float]]:
    return [engine.vector(*row) for row in rows]


@settings(max_examples=60, deadline=None)
@given(arrivals)
def test_every_aggregate_over_rows_in_any_order(rows: list[Arrived]) -> None:
    assert_brute_force(rows, vectors_of(Engine(FEATURES), rows))


@settings(max_examples=40, deadline=None)
@given(arrivals)
def test_the_short_way_for_bare_rows_is_the_long_one(rows: list[Arrived]) -> None:
    short, long = Engine(FEATURES), Engine(FEATURES)
    look = short.observer("view")
    for kind, time_ms, row in rows:
        if kind == "view":
            look(str(row["user"]), time_ms)
            long.observe(kind, time_ms, row)
        else:
            assert repr(short.vector(kind, time_ms, row)) == repr(long.vector(kind, time_ms, row))
    assert (short.changes(), short.snapshot()) == (long.changes(), long.snapshot())


def through_the_wire(state: State) -> State:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)


@settings(max_examples=60, deadline=None)
@given(arrivals, st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=5))
def test_a_crash_anywhere_changes_nothing(rows: list[Arrived], commits: list[tuple[int, bool]]) -> None:
    """Commits, whole or as changes, between any rows; then a new engine from the chain."""
    at = dict(commits)
    engine = Engine(FEATURES)
    chain: list[State] = []
    last = max(at, default=0)
    vectors = []
    for n, row in enumerate(rows):
        if n in at:
            chain = [through_the_wire(engine.snapshot())] if at[n] else [*chain, through_the_wire(engine.changes())]
        if n == last:
            engine = Engine(FEATURES)
            for link in chain:
                engine.restore(link)
        vectors.append(engine.vector(*row))
    if last:
        assert_brute_force(rows, vectors)


@settings(max_examples=40, deadline=None)
@given(arrivals, st.integers(0, 20), st.integers(20, 40), st.booleans())
def test_a_split_and_a_merge_change_nothing(rows: list[Arrived], split: int, merge: int, whole: bool) -> None:
    first = Engine(FEATURES)
    vectors = vectors_of(first, rows[:split])
    inherited = through_the_wire(first.snapshot() if whole else first.changes())
    children = [Engine(FEATURES) for _ in HALVES]
    for child, keys in zip(children, HALVES, strict=True):
        child.restore(inherited, keys)
    for row in rows[split:merge]:
        vectors.append(children[hash_key(str(row.row["user"])) in HALVES[1]].vector(*row))
    last = Engine(FEATURES)
    for child in children:
        last.restore(through_the_wire(child.snapshot()), HashRange.of(0, MAX_HASH_KEY))
    vectors += vectors_of(last, rows[merge:])
    assert_brute_force(rows, vectors)
