"""Events scattered over all times, and strangers without end: analytics' state is bounded, and a replay is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest

from clickstream.application import Inheritance
from clickstream.consumers.analytics import fold as folding
from clickstream.consumers.analytics.aggregate_rows import MOVING, Row, decode
from clickstream.consumers.analytics.counting import sessions
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.analytics.windows import MINUTE_MS
from clickstream.events import AnyEvent, PageView, ProductView
from clickstream.records.kept import kept_user
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key

NOW = 29_847_600 * MINUTE_MS
MOST = 40
HALVES = (HashRange.of(0, MAX_HASH_KEY // 2), HashRange.of(MAX_HASH_KEY // 2 + 1, MAX_HASH_KEY))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "MOST_LATE", MOST)
    monkeypatch.setattr(sessions, "MOST_SESSIONS", MOST)


def view(number: int, at: int) -> AnyEvent:
    return PageView(event_id=f"e{number}", user_id=f"u{number % 7}", session_id="s", occurred_at=at)


def counted(row: Row) -> int:
    return sum(decode(row.content).events.values())


def scattered(count: int) -> list[AnyEvent]:
    """Now and then one of this minute, all others anywhere in two years."""
    chance = Random(5)
    return [view(n, NOW + n * 100 if n % 10 == 0 else NOW - chance.randrange(20, 1_000_000) * MINUTE_MS) for n in range(count)]


def batches(events: Sequence[AnyEvent], seed: int) -> Iterator[Sequence[AnyEvent]]:
    chance, at = Random(seed), 0
    while at < len(events):
        size = chance.randrange(1, 90)
        yield events[at : at + size]
        at += size


def test_scattered_events_are_counted_in_a_bounded_number_of_open_windows() -> None:
    fold, shown = AnalyticsFold("shard"), dict[tuple[str, str], int]()
    events = scattered(3_000)
    for start in range(0, len(events), 20):
        fold.apply(events[start : start + 20])
        shown |= {(row.window, row.part): counted(row) for row in fold.effects(flush=False) if row.window != MOVING}
        # those of one turn with their hours, a batch, and what is of this quarter of an hour
        assert len(fold._windows) <= 2 * MOST + 2 * 20 + 2 * 17
    shown |= {(row.window, row.part): counted(row) for row in fold.effects(flush=True)}
    minutes = {place: count for place, count in shown.items() if place[0].startswith("minute")}
    assert sum(minutes.values()) == sum(shown.values()) - sum(minutes.values()) == len(events)


@pytest.mark.parametrize("seed", range(5))
def test_however_it_is_cut_or_replayed_the_parts_are_the_same(seed: int) -> None:
    events = scattered(1_500)
    whole, cut = AnalyticsFold("shard"), AnalyticsFold("shard")
    whole.apply(events)
    states = []
    for batch in batches(events, seed):
        cut.apply(batch)
        cut.effects(flush=True)
        states.append(cut.changes())
    restored = AnalyticsFold("shard")
    for state in states:
        restored.restore(state, None)
    assert (restored._turn, restored._late) == (cut._turn, cut._late) == (whole._turn, whole._late)
    more = [*scattered(1_600)[1_500:], view(9_999, NOW + 10 * MINUTE_MS)]
    for fold in (whole, cut, restored):
        fold.effects(flush=True)
        fold.apply(more)
    touched = {(row.window, row.part): row.content for row in whole.effects(flush=True)}
    for fold in (cut, restored):
        rows = {(row.window, row.part): row.content for row in fold.effects(flush=True)}
        assert {place: rows[place] for place in touched} == touched


def strangers(first: int, count: int) -> list[AnyEvent]:
    return [
        ProductView(event_id=f"e{n}", user_id=f"u{n}", session_id="s", occurred_at=NOW + n * 1_000, product_id="p")
        for n in range(first, first + count)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_sessions_are_bounded_and_a_replay_forgets_the_same(seed: int) -> None:
    events = strangers(0, 6 * MOST)
    whole, cut, restored = AnalyticsFold("shard"), AnalyticsFold("shard"), AnalyticsFold("shard")
    whole.apply(events)
    for batch in batches(events, seed):
        cut.apply(batch)
        restored.restore(cut.changes(), None)
        assert len(cut._sessions) <= MOST
    assert whole.forgotten == cut.forgotten > 4 * MOST
    kept = [set(fold._sessions._sessions) for fold in (whole, cut, restored)]
    assert kept[0] == kept[1] == kept[2]


def test_the_longest_ids_take_no_more_room_and_are_told_apart() -> None:
    fold, long = AnalyticsFold("shard"), "\N{GRINNING FACE}" * 120
    fold.apply(
        [
            ProductView(
                event_id=f"e{n}", user_id=f"{long}{n % 3}", session_id=f"{long}{n % 5}", occurred_at=NOW, product_id="p"
            )
            for n in range(30)
        ]
    )
    assert len(fold._sessions) == 15
    for key, session in fold._sessions._sessions.items():
        assert key.isascii()
        assert len(key) <= 81
        assert len(session.user_id) <= 41
    for half in HALVES:
        child = AnalyticsFold("child")
        child.restore(fold.snapshot(), Inheritance(half))
        users = {session.user_id for session in child._sessions._sessions.values()}
        assert users == {kept_user(f"{long}{n}") for n in range(3) if hash_key(f"{long}{n}") in half}
