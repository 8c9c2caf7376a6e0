"""The fold's promise: its rows depend on the order of the events alone, not on cuts, commits, restarts or resharding."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.application import Inheritance
from clickstream.consumers.analytics import fold as fold_module
from clickstream.consumers.analytics.aggregate_rows import MOVING, Row, RowContent, decode
from clickstream.consumers.analytics.counting.totals import WindowView, answer
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.analytics.windows import Granularity, start_of
from clickstream.events import AnyEvent, ProductView
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key
from tests.unit.analytics.traffic import traffic

Table = dict[tuple[str, str], bytes]
Step = tuple[int, Literal["effects", "flush", "changes", "snapshot", "restart"]]

SHARD = "shardId-000000000000"

#: After so many more events, do that.
steps = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["effects", "flush", "changes", "snapshot", "restart"])),
    min_size=4,
    max_size=12,
)
streams = st.builds(
    traffic,
    st.integers(0, 2**32),
    st.sampled_from([1, 40, 150, 250]),
    step_ms=st.sampled_from([100, 3_000, 40_000, 400_000]),
    late_ms=st.sampled_from([1, 240_000, 6_000_000]),
)


def write(table: Table, rows: Iterable[Row]) -> None:
    table |= {(row.window, row.part): row.content for row in rows if row.window != MOVING}


def in_one_batch(events: Sequence[AnyEvent]) -> Table:
    table: Table = {}
    fold = AnalyticsFold(SHARD)
    fold.apply(events)
    write(table, fold.effects(flush=True))
    return table


def in_pieces(events: Sequence[AnyEvent], steps: Sequence[Step]) -> Table:
    """As the runtime would: a restart begins at the last commit and folds again what came after it."""
    table: Table = {}
    fold, at = AnalyticsFold(SHARD), 0
    chain: list[bytes] = []
    committed = 0
    for length, what in steps:
        fold.apply(events[at : at + length])
        at = min(len(events), at + length)
        match what:
            case "effects":
                write(table, fold.effects(flush=False))
            case "flush":
                write(table, fold.effects(flush=True))
            case "changes" | "snapshot":
                state = fold.changes() if what == "changes" else fold.snapshot()
                chain = [*chain, state] if what == "changes" else [state]
                write(table, fold.effects(flush=False))
                committed = at
            case "restart":
                fold, at = AnalyticsFold(SHARD), committed
                for state in chain:
                    fold.restore(state, None)
    fold.apply(events[at:])
    write(table, fold.effects(flush=True))
    return table


@settings(max_examples=80, deadline=None)
@given(streams, steps)
def test_any_cut_commit_and_restart_gives_the_same_rows(events: list[AnyEvent], steps: list[Step]) -> None:
    assert in_pieces(events, steps) == in_one_batch(events)


@settings(max_examples=60, deadline=None)
@given(streams, steps, st.sampled_from([(3, 6), (6, 3), (3, 80), (80, 6), (12, 40)]))
def test_the_same_holds_when_the_tallies_are_full(events: list[AnyEvent], steps: list[Step], limits: tuple[int, int]) -> None:
    """Hours full and minutes not, and the other way round; with some limits they only seem full in the middle of a commit."""
    of_minute, of_hour = limits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "capacity", lambda width: of_hour if width == 60 else of_minute)
        assert in_pieces(events, steps) == in_one_batch(events)


def views(table: Table) -> dict[tuple[Granularity, int], WindowView]:
    contents: dict[tuple[Granularity, int], list[RowContent]] = defaultdict(list)
    for (window, part), content in table.items():
        for granularity in Granularity:
            if window.startswith("minute#") == (granularity is Granularity.MINUTE):
                contents[granularity, granularity.floor_ms(start_of(part))].append(decode(content))
    return {(granularity, start): answer(granularity, start, rows, 50) for (granularity, start), rows in contents.items()}


@settings(max_examples=50, deadline=None)
@given(
    # all within a session's time-out, which each shard measures by its own watermark
    st.builds(
        traffic, st.integers(0, 2**32), st.integers(2, 300), step_ms=st.sampled_from([100, 9_000]), late_ms=st.just(600_000)
    ),
    st.integers(0, 300),
    st.integers(1, MAX_HASH_KEY),
    st.integers(0, 300),
)
def test_a_split_and_a_merge_change_no_answer(events: list[AnyEvent], split_at: int, border: int, length: int) -> None:
    """Parent, two children, and the shard they are merged into: their rows together are those of one shard."""
    middle = events[split_at : split_at + length]
    table: Table = {}
    parent = AnalyticsFold("parent")
    parent.apply(events[:split_at])
    write(table, parent.effects(flush=True))

    halves = HashRange.of(0, border - 1), HashRange.of(border, MAX_HASH_KEY)
    states = []
    for name, keys in zip(("lower", "upper"), halves, strict=True):
        child = AnalyticsFold(name)
        child.restore(parent.snapshot(), Inheritance(keys))
        child.apply([event for event in middle if hash_key(event.user_id) in keys])
        write(table, child.effects(flush=True))
        states.append(child.snapshot())

    merged = AnalyticsFold("merged")
    for state in states:
        merged.restore(state, Inheritance(HashRange.of(0, MAX_HASH_KEY)))
    merged.apply(events[split_at + length :])
    write(table, merged.effects(flush=True))

    assert views(table) == views(in_one_batch(events))


def test_memory_holds_open_windows_only() -> None:
    fold = AnalyticsFold(SHARD)
    sizes = []
    for hour in range(6):
        fold.apply(traffic(hour, 600, start_ms=hour * 3_600_000, step_ms=6_000, late_ms=60_000, users=1))
        fold.effects(flush=True)
        sizes.append(len(fold.snapshot()))
    assert max(sizes[2:]) < 1.5 * sizes[1]


def test_hours_come_with_every_ninth_commit_or_a_flush() -> None:
    fold = AnalyticsFold(SHARD)
    hours = []
    for commit in range(20):
        fold.apply(traffic(commit, 5))
        hours.append(any(row.window.startswith("hour#") for row in fold.effects(flush=False)))
    assert hours == [(commit + 1) % 9 == 0 for commit in range(20)]
    fold.apply(traffic(99, 5))
    assert any(row.window.startswith("hour#") for row in fold.effects(flush=True))
    assert list(fold.effects(flush=True)) == []


@pytest.mark.parametrize("cut", [1, 3, 200])
@pytest.mark.parametrize("of_minute", [2, 80])
@pytest.mark.parametrize("commit_every", [7, 1_000])
def test_an_hour_counts_the_first_keys_singly(
    monkeypatch: pytest.MonkeyPatch, cut: int, of_minute: int, commit_every: int
) -> None:
    """However few events a batch has, and though most reach the hour by way of their minutes, and out of the minutes' order."""
    monkeypatch.setattr(fold_module, "capacity", lambda width: 6 if width == 60 else of_minute)
    rng = random.Random(1)
    views = [
        ProductView(
            event_id=f"e{n}",
            user_id="u",
            session_id="s",
            product_id=f"p{min(rng.randrange(30), n)}",
            occurred_at=rng.randrange(2) * 60_000,
        )
        for n in range(200)
    ]
    table: Table = {}
    fold = AnalyticsFold(SHARD)
    for n, start in enumerate(range(0, len(views), cut), start=1):
        fold.apply(views[start : start + cut])
        if n % commit_every == 0:
            write(table, fold.effects(flush=False))
    write(table, fold.effects(flush=True))

    counts: Counter[str] = Counter(view.product_id for view in views)  # in order of first appearance
    (hour,) = [decode(content) for (window, _), content in table.items() if window.startswith("hour#")]
    products = hour.tallies[0]
    assert products.counts == dict(list(counts.items())[:6])
    assert products.bound >= max(list(counts.values())[6:])
