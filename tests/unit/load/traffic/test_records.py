"""The generator: the same seed is the same bytes, people walk the funnel with tastes of their own, and some of them steal."""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import sha256

import pytest

from clickstream import events
from clickstream.events import ProductView, Purchase, Search
from clickstream.load.traffic.faults import NONE, Emission, Rates
from clickstream.load.traffic.records import Traffic
from clickstream.load.traffic.shop.intruders import KINDS
from clickstream.load.traffic.shop.visitors import Season, Shop, Visitors, shop_for

T0 = 1_700_000_000_000
SHOP = Shop(products=200, visitors=500, concurrent=50)


def _emissions(count: int, seed: int = 7, rates: Rates | None = None) -> list[Emission]:
    traffic = Traffic(seed, SHOP, rates or Rates())
    return [traffic.emit(T0 + n) for n in range(count)]


def test_the_same_seed_gives_the_same_bytes_on_any_machine() -> None:
    digest = sha256(b"\n".join(emission.data for emission in _emissions(5_000))).hexdigest()

    assert digest == "2d881b036607bfbbf18b51a34469d518cfefad05c64c01c9f3fd007f8914ad13"
    assert _emissions(100, seed=8) != _emissions(100, seed=7)


def test_visitors_walk_the_funnel_and_popular_products_are_popular() -> None:
    sent = [emission.event for emission in _emissions(20_000, rates=NONE)]
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


@pytest.fixture(scope="module")
def season() -> list[Emission]:
    traffic = Traffic(7, SHOP, NONE, Season(attacks=0.05, hot=0.05, sale=0.5, sale_from_ms=T0 + 10_000, sale_to_ms=T0 + 20_000))
    return [traffic.emit(T0 + n) for n in range(30_000)]


def test_adversaries_are_known_by_their_purchases_and_no_event_tells_of_them(season: list[Emission]) -> None:
    kinds = Counter(emission.adversary for emission in season if emission.adversary)

    assert set(kinds) == set(KINDS)
    assert all(isinstance(emission.event, Purchase) for emission in season if emission.adversary)
    assert not any(kind.encode() in emission.data for emission in season for kind in KINDS)


def test_each_adversary_has_its_marks(season: list[Emission]) -> None:
    by_kind: dict[str, list[Purchase]] = defaultdict(list)
    for emission in season:
        if isinstance(emission.event, Purchase):
            by_kind[emission.adversary].append(emission.event)
    cards: dict[str, set[str]] = defaultdict(set)
    accounts: dict[str, set[str]] = defaultdict(set)
    for order in by_kind["card_testing"]:
        cards[order.user_id].add(order.payment_fingerprint)
    for order in by_kind["spreading"]:
        accounts[order.context.device].add(order.user_id)
    known = {order.user_id for order in by_kind[""]}
    devices = {order.context.device for order in by_kind[""]}

    assert max(map(len, cards.values())) >= 5
    assert all(order.amount <= 600 for order in by_kind["card_testing"])
    assert max(map(len, accounts.values())) >= 6
    assert all(item.quantity >= 12 for order in by_kind["resale"] for item in order.items)
    assert {order.user_id for order in by_kind["takeover"]} & known, "the victims are customers"
    assert not {order.context.device for order in by_kind["takeover"]} & devices, "on devices never seen"
    assert all(len(order.items) == 1 and order.items[0].quantity == 5 for order in by_kind["bot"])


def test_one_key_is_hot_and_one_product_is_on_sale(season: list[Emission]) -> None:
    keys = Counter(emission.key for emission in season)
    (hottest, count), (_, second) = keys.most_common(2)
    views = [emission.event for emission in season if isinstance(emission.event, ProductView) and emission.key != hottest]
    during = Counter(event.product_id for event in views if T0 + 12_000 <= event.occurred_at < T0 + 20_000)
    before = Counter(event.product_id for event in views if event.occurred_at < T0 + 10_000)
    ((on_sale, sold),) = during.most_common(1)

    assert count == pytest.approx(0.05 * len(season), rel=0.2)
    assert count > 3 * second
    assert sold > 0.3 * during.total()
    assert before[on_sale] < 0.05 * before.total()


def test_people_of_generators_side_by_side_are_others_in_the_same_shop() -> None:
    one, other = (Traffic(7, Shop(visitors=500, concurrent=50, first_visitor=first), NONE) for first in (0, 500))
    ours, theirs = ([traffic.emit(T0 + n) for n in range(3_000)] for traffic in (one, other))

    assert not {emission.key for emission in ours} & {emission.key for emission in theirs}
    assert {_product(emission) for emission in ours} & {_product(emission) for emission in theirs} - {None}


def _product(emission: Emission) -> str | None:
    return emission.event.product_id if isinstance(emission.event, ProductView) else None


def test_a_busier_shop_has_more_sessions_at_once() -> None:
    assert shop_for(500).concurrent == 10 * shop_for(50).concurrent
    assert shop_for(0.1).concurrent == 1
