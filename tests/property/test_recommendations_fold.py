"""The fold's promise: what it knows of a visitor depends on the order of the events alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.events import AnyEvent
from clickstream.routing import MAX_HASH_KEY, HashRange, hash_key
from consumers.recommendations.fold import RecommendationsFold, Visit
from consumers.runtime.application import Inheritance
from tests.unit.recommendations.traffic import traffic

Table = dict[str, tuple[object, ...]]
Step = tuple[int, Literal["effects", "changes", "snapshot", "restart"]]

steps = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["effects", "changes", "snapshot", "restart"])), min_size=4, max_size=14
)
streams = st.builds(
    traffic,
    st.integers(0, 2**32),
    st.sampled_from([1, 60, 200]),
    step_ms=st.sampled_from([1_000, 60_000, 1_800_000]),
    late_ms=st.sampled_from([1, 600_000, 7_200_000]),
)


def write(table: Table, visits: Sequence[Visit]) -> None:
    """All but what was clicked, which tells of the time between two effects."""
    table |= {visit.user_id: (tuple(visit.items.items()), visit.has, visit.at_ms) for visit in visits}


def in_one_batch(events: Sequence[AnyEvent]) -> Table:
    table: Table = {}
    fold = RecommendationsFold()
    fold.apply(events)
    write(table, fold.effects(flush=True))
    return table


@settings(max_examples=120, deadline=None)
@given(streams, steps)
def test_any_cut_commit_and_restart_gives_the_same_visits(events: list[AnyEvent], steps: list[Step]) -> None:
    table: Table = {}
    fold, at, committed = RecommendationsFold(), 0, 0
    chain: list[bytes] = []
    for length, what in steps:
        fold.apply(events[at : at + length])
        at = min(len(events), at + length)
        match what:
            case "effects":
                write(table, fold.effects(flush=False))
            case "changes" | "snapshot":
                write(table, fold.effects(flush=False))
                chain = [*chain, fold.changes()] if what == "changes" else [fold.snapshot()]
                committed = at
            case "restart":
                fold, at = RecommendationsFold(), committed
                for state in chain:
                    fold.restore(state, None)
    fold.apply(events[at:])
    write(table, fold.effects(flush=True))
    assert table == in_one_batch(events)


@settings(max_examples=80, deadline=None)
@given(streams, steps)
def test_every_click_is_told_once_and_in_order(events: list[AnyEvent], steps: list[Step]) -> None:
    told: dict[str, list[str]] = {}
    fold, at = RecommendationsFold(), 0
    for length, _ in [*steps, (len(events), "effects")]:
        fold.apply(events[at : at + length])
        at = min(len(events), at + length)
        for visit in fold.effects(flush=False):
            told.setdefault(visit.user_id, []).extend(visit.clicked)
    expected: dict[str, list[str]] = {}
    for event in events:
        if event.__struct_config__.tag in ("product_view", "add_to_cart"):
            expected.setdefault(event.user_id, []).append(getattr(event, "product_id"))  # noqa: B009  the two kinds have it
    assert {user: clicks for user, clicks in told.items() if clicks} == expected


@settings(max_examples=60, deadline=None)
@given(streams, st.integers(0, 200), st.integers(1, MAX_HASH_KEY))
def test_a_split_hands_every_visitor_to_one_child(events: list[AnyEvent], split_at: int, border: int) -> None:
    parent = RecommendationsFold()
    parent.apply(events[:split_at])
    table: Table = {}
    write(table, parent.effects(flush=True))
    halves = HashRange.of(0, border - 1), HashRange.of(border, MAX_HASH_KEY)
    for keys in halves:
        child = RecommendationsFold()
        child.restore(parent.snapshot(), Inheritance(keys))
        mine = [event for event in events[split_at:] if hash_key(event.user_id) in keys]
        child.apply(mine)
        visits = child.effects(flush=True)
        assert {visit.user_id for visit in visits} == {e.user_id for e in mine if e.__struct_config__.tag != "page_view"}
        write(table, visits)
    assert set(table) == set(in_one_batch(events))
