"""A flood of strangers: fraud's state stays below its bound, and a replay forgets the same keys."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from clickstream.application import Inheritance
from clickstream.consumers.fraud.fold import FraudFold
from clickstream.events import AnyEvent, Context
from clickstream.models.features import engine
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key
from tests.unit.fraud.shopping import MINUTE_MS, START_MS, purchase, undecided, view

MOST = 400


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_KEYS", MOST)


def flood(first: int, count: int) -> list[AnyEvent]:
    return [(view if n % 3 else purchase)(f"stranger-{n}", START_MS + n * 100) for n in range(first, first + count)]


def test_a_flood_is_bounded_and_leaves_whom_it_saw_lately() -> None:
    fold = FraudFold()
    fold.apply([view("ann", START_MS), purchase("bob", START_MS)])
    for start in range(0, 5 * MOST, 50):
        fold.apply([*flood(start, 50), view("ann", START_MS + start * 100 + 4_999)])
    assert fold.forgotten > 2 * MOST
    assert all(len(histories) <= MOST for histories in fold._engine._histories)
    assert any("ann" in histories for histories in fold._engine._histories)
    assert not any("bob" in histories for histories in fold._engine._histories)


@pytest.mark.parametrize("cut", [1, 7, 333, 900])
def test_a_replay_forgets_the_same(cut: int) -> None:
    events = flood(0, 3 * MOST)
    through, stopped, restored = FraudFold(), FraudFold(), FraudFold()
    through.apply(events)
    stopped.apply(events[:cut])
    restored.restore(stopped.snapshot(), None)
    for start in range(cut, len(events), 211):
        stopped.apply(events[start : start + 211])
        restored.restore(stopped.changes(), None)
    assert restored.snapshot() == stopped.snapshot() == through.snapshot()
    late = purchase("stranger-1199", START_MS + 10 * MINUTE_MS)
    for fold in (through, restored):
        fold.effects(flush=True)
        fold.apply([late])
    assert repr(undecided(through)) == repr(undecided(restored))


def test_the_longest_ids_take_no_more_room() -> None:
    fold = FraudFold()
    long = "\N{GRINNING FACE}" * 120
    context = Context(ip=long, device=long)
    fold.apply([view(long, START_MS), replace(purchase(long, START_MS), context=context, payment_fingerprint=long)])
    keys = [key for histories in fold._engine._histories for key in histories]
    assert len(keys) >= 5
    assert all(len(key) <= 41 and key.isascii() for key in keys)
    other = FraudFold()
    halves = [HashRange.of(0, MAX_HASH_KEY // 2), HashRange.of(MAX_HASH_KEY // 2 + 1, MAX_HASH_KEY)]
    (home,) = [half for half in halves if hash_key(long) in half]
    other.restore(fold.snapshot(), Inheritance(home))
    assert other._engine._histories[0].keys() == fold._engine._histories[0].keys()
