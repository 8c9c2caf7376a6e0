"""The generator: the same seed is the same bytes, people walk the funnel, and each fault is what it says."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from hashlib import sha256

import pytest

from clickstream import events
from clickstream.errors import Rejected
from clickstream.events import ProductView, Purchase, Search
from load.faults import MALFORMED, Emission, Rates
from load.generator import Shop, Visitors, shop_for
from load.traffic import Traffic, arrivals

T0 = 1_700_000_000_000
SHOP = Shop(products=200, visitors=500, concurrent=50)


def _emissions(count: int, seed: int = 7, rates: Rates | None = None) -> list[Emission]:
    traffic = Traffic(seed, SHOP, rates or Rates())
    return [traffic.emit(T0 + n) for n in range(count)]


def test_the_same_seed_gives_the_same_bytes_on_any_machine() -> None:
    digest = sha256(b"\n".join(emission.data for emission in _emissions(5_000))).hexdigest()

    assert digest == "ebb599b74319800f6a07378e9593f904efb7b1f1d3b9c8d7e6fa90c75bf9a78e"
    assert list(itertools.islice(arrivals(7, 1000), 3)) == [501, 723, 4470]
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
    ranked = [count for _, count in products.most_common()]
    assert ranked[0] > 3 * ranked[len(ranked) // 2] > 0
    assert all(order.amount == sum(item.price * item.quantity for item in order.items) for order in purchases)
    assert len({event.event_id for event in sent if event}) == len(sent)


def test_what_a_visitor_clicks_next_follows_from_the_clicks_before_and_hardly_from_popularity() -> None:
    """Recommenders can be told apart on this traffic: even counting successors beats what is popular three times over."""
    visitors = Visitors(5, Shop(concurrent=2_000))
    views = [event for n in range(60_000) if isinstance(event := visitors.next_event(T0 + n), ProductView)]
    seen: dict[str, str] = {}
    steps: list[tuple[str, str]] = []
    for event in views:
        if event.session_id in seen:
            steps.append((seen[event.session_id], event.product_id))
        seen[event.session_id] = event.product_id
    training, test = steps[: len(steps) * 4 // 5], steps[len(steps) * 4 // 5 :]
    popular = {product for product, _ in Counter(after for _, after in training).most_common(20)}
    successors: dict[str, Counter[str]] = defaultdict(Counter)
    for before, after in training:
        successors[before][after] += 1

    by_popularity = sum(after in popular for _, after in test)
    by_successors = sum(after in dict(successors[before].most_common(20)) for before, after in test)

    assert len(test) > 2_000
    assert by_successors > 3 * by_popularity > 0


def test_a_search_names_what_is_looked_at_next_and_people_return_with_their_tastes() -> None:
    visitors = Visitors(5, Shop(products=500, visitors=300, concurrent=20))
    sent = [visitors.next_event(T0 + n) for n in range(40_000)]
    wanted: dict[str, str] = {}
    found: list[bool] = []
    categories: dict[str, Counter[str]] = defaultdict(Counter)
    for event in sent:
        if isinstance(event, Search):
            wanted[event.session_id] = event.query.split()[-1].lower()
        elif isinstance(event, ProductView):
            categories[event.user_id][event.category] += 1
            if event.session_id in wanted:
                found.append(wanted.pop(event.session_id) == event.category)

    assert all(found)
    assert len(found) > 1_000
    sessions = {(event.user_id, event.session_id) for event in sent}
    assert len(sessions) > 3 * len({user for user, _ in sessions}), "they come again"
    shares = [
        sum(count for _, count in counts.most_common(3)) / counts.total()
        for counts in categories.values()
        if counts.total() >= 30
    ]
    assert sum(shares) / len(shares) > 0.5, "a person's three first categories of twenty"


def test_the_next_click_is_known_before_it_comes() -> None:
    visitors = Visitors(6, Shop(products=200, concurrent=40))
    known: dict[str, str] = {}
    right = 0
    for n in range(5_000):
        event = visitors.next_event(T0 + n)
        if isinstance(event, ProductView) and event.user_id in known:
            assert known[event.user_id] == event.product_id
            right += 1
        # people who are here twice at once, or come again, are another matter
        known = visitors.next_clicks()

    assert right > 1_000


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
