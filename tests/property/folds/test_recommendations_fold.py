"""The fold's promise: what it knows of a visitor depends on the order of the events alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.application import Inheritance
from clickstream.consumers.recommendations.fold import RecommendationsFold, Visit
from clickstream.events import AnyEvent, Item, ProductView, Purchase, Search
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key
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


def visits_of(effects: Sequence[Visit]) -> list[Visit]:
    return [effect for effect in effects if isinstance(effect, Visit)]


def write(table: Table, effects: Sequence[Visit]) -> None:
    """All but what was clicked, which tells of the time between two effects."""
    table |= {visit.user_id: (tuple(visit.items.items()), visit.has, visit.at_ms) for visit in visits_of(effects)}


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
        for visit in visits_of(fold.effects(flush=False)):
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
        visits = visits_of(child.effects(flush=True))
        assert {visit.user_id for visit in visits} == {e.user_id for e in mine if e.__struct_config__.tag != "page_view"}
        write(table, visits)
    assert set(table) == set(in_one_batch(events))


SMALL = 20_000
"""Bytes: room for ten visitors or so."""


def known(fold: RecommendationsFold) -> object:
    """All that decides what comes next."""
    copy = RecommendationsFold(SMALL)
    copy.restore(fold.snapshot(), None)
    return msgspec.msgpack.decode(copy.snapshot())


@settings(max_examples=120, deadline=None)
@given(streams, steps)
def test_who_is_forgotten_before_their_time_follows_from_the_events_alone(events: list[AnyEvent], steps: list[Step]) -> None:
    whole = RecommendationsFold(SMALL)
    whole.apply(events)
    fold, at, committed = RecommendationsFold(SMALL), 0, 0
    chain: list[bytes] = []
    for length, what in [*steps, (len(events), "changes"), (0, "restart")]:
        fold.apply(events[at : at + length])
        at = min(len(events), at + length)
        match what:
            case "effects":
                fold.effects(flush=False)
            case "changes" | "snapshot":
                chain = [*chain, fold.changes()] if what == "changes" else [fold.snapshot()]
                committed = at
            case "restart":
                fold, at = RecommendationsFold(SMALL), committed
                for state in chain:
                    fold.restore(state, None)
    fold.apply(events[at:])
    assert known(fold) == known(whole)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8), st.integers(1, 40)), max_size=40))
def test_the_size_is_that_of_what_is_known(acts: list[tuple[str, int, int]]) -> None:
    """Counted anew, and with bounds that are stated: 200 bytes and the text for each entry, 600 more for a visitor."""

    def size(text: str) -> int:
        return 200 + len(text) * (4 if max(text, default="") > "\x7f" else 1)

    fold, at = RecommendationsFold(), 1_790_000_000_000
    for kind, product, hours in acts:
        at += hours * 3_600_000
        name = f"p{product}" * product or "é"
        about: dict[str, Any] = {"event_id": "e", "user_id": "ü", "session_id": "s", "occurred_at": at}
        items = tuple(Item(product_id=f"{name}{n}", category=name) for n in range(hours))
        order: dict[str, Any] = {"order_id": "o", "amount": 1, "currency": "EUR"}
        made: dict[str, AnyEvent] = {
            "a": ProductView(**about, product_id=name, category="c"),
            "b": Search(**about, query=name),
            "c": Purchase(**about, items=items, **order),
        }
        fold.apply([made[kind]])
        (_, _, kept, bought, told), *_ = msgspec.msgpack.decode(fold.snapshot())[1]
        entries = sum(map(size, kept)) + sum(size(product) + size(category) for product, (_, category, _) in bought.items())
        assert told == 600 + size("ü") + entries


def test_a_flood_of_strangers_is_bounded_and_told_and_leaves_who_comes_back() -> None:
    """A thousand users with the longest orders; on main every one of them is kept for 30 days."""
    fold, most = RecommendationsFold(2_000_000), 2_000_000
    for number in range(1_000):
        about: dict[str, Any] = {"event_id": "e", "session_id": "s", "occurred_at": 1_790_000_000_000 + number}
        items = tuple(Item(product_id=f"{n:04d}" * 64, category="c" * 256) for n in range(100))
        hostile = Purchase(**about, user_id=f"u-{number}", order_id="o", items=items, amount=1, currency="EUR")
        fold.apply([hostile, ProductView(**about, user_id="regular", product_id="p")])
        assert len(fold.snapshot()) < most
    assert len(fold._visitors) < 30
    assert fold.forgotten == 1_001 - len(fold._visitors)
    assert "regular" in [visitor[0] for visitor in msgspec.msgpack.decode(fold.snapshot())[1]]
