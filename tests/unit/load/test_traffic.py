"""The generator: the same seed is the same bytes, people walk the funnel, and each fault is what it says."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from hashlib import sha256

import pytest

from clickstream import events
from clickstream.errors import Rejected
from clickstream.events import Purchase
from load.faults import MALFORMED, Emission, Rates
from load.generator import Shop, shop_for
from load.traffic import Traffic, arrivals

T0 = 1_700_000_000_000
SHOP = Shop(products=200, visitors=500, concurrent=50)


def _emissions(count: int, seed: int = 7, rates: Rates | None = None) -> list[Emission]:
    traffic = Traffic(seed, SHOP, rates or Rates())
    return [traffic.emit(T0 + n) for n in range(count)]


def test_the_same_seed_gives_the_same_bytes_on_any_machine() -> None:
    digest = sha256(b"\n".join(emission.data for emission in _emissions(5_000))).hexdigest()

    assert digest == "49a787d654d57a4617fbd2a2770fa214502a5327feba95c6390e8f9a8259c96d"
    assert list(itertools.islice(arrivals(7, 1000), 3)) == [697, 3185, 3435]
    assert _emissions(100, seed=8) != _emissions(100, seed=7)


def test_arrivals_keep_the_rate_and_never_go_back() -> None:
    times = list(itertools.islice(arrivals(1, 1000.0), 20_000))

    assert times == sorted(times)
    assert times[-1] == pytest.approx(20_000_000, rel=0.03)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # exponential gaps: as wide as they are long on average
    mean = sum(gaps) / len(gaps)
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.05)


def test_visitors_walk_the_funnel_and_popular_products_are_popular() -> None:
    sent = [emission.event for emission in _emissions(20_000, rates=Rates(retry=0, late=0, malformed=0))]
    kinds = Counter(type(event).__name__ for event in sent)
    products = Counter(event.product_id for event in sent if isinstance(event, events.ProductView))
    purchases = [event for event in sent if isinstance(event, Purchase)]

    assert set(kinds) == {kind.__name__ for kind in events.EVENT_TYPES}
    assert kinds["ProductView"] > kinds["AddToCart"] > kinds["Purchase"] > 100
    assert products["p00001"] > 5 * products["p00020"] > 0
    assert all(order.amount == sum(item.price * item.quantity for item in order.items) for order in purchases)
    assert len({event.event_id for event in sent if event}) == len(sent)


def test_each_event_is_valid_and_under_its_users_key() -> None:
    for emission in _emissions(5_000):
        if emission.event is not None:
            assert events.decode(emission.data) == emission.event
            assert emission.key == emission.event.user_id


def test_faults_come_at_their_rates() -> None:
    kinds = Counter(emission.kind for emission in _emissions(20_000, rates=Rates(retry=0.05, late=0.05, malformed=0.05)))

    for kind in ("retry", "late", "malformed"):
        assert kinds[kind] == pytest.approx(1_000, rel=0.2)


def test_a_retry_is_an_event_sent_shortly_before() -> None:
    sent: list[bytes] = []
    for emission in _emissions(20_000):
        if emission.kind == "retry":
            assert emission.data in sent[-500:]
        sent.append(emission.data)


def test_a_late_event_is_late_by_minutes() -> None:
    traffic = Traffic(3, SHOP, Rates(retry=0, late=1, malformed=0))
    delays = [T0 - event.occurred_at for _ in range(500) if (event := traffic.emit(T0).event)]

    assert 0 <= min(delays) < 60_000 < max(delays) <= 5 * 60_000


@pytest.mark.parametrize("name", MALFORMED)
def test_each_malformed_record_must_be_refused(name: str) -> None:
    event = next(emission.event for emission in _emissions(100) if emission.event is not None)

    key, data = MALFORMED[name](json.loads(events.encode(event)), events.encode(event))

    if name == "future":
        assert events.decode(data).occurred_at == event.occurred_at + 86_400_000
    elif name == "foreign key":
        assert key != events.decode(data).user_id
    else:
        with pytest.raises(Rejected):
            events.decode(data)


def test_a_busier_shop_has_more_sessions_at_once() -> None:
    assert shop_for(500).concurrent == 10 * shop_for(50).concurrent
    assert shop_for(0.1).concurrent == 1
