"""A person is a number: always the same one, with few devices, one home, and tastes that most visits follow."""

from __future__ import annotations

from collections import Counter
from random import Random

from clickstream.load.traffic.shop.catalogue import CATEGORIES, Catalogue
from clickstream.load.traffic.shop.customers import COUNTRIES, CURRENCIES, customer

_MANY = [customer(number) for number in range(2_000)]


def test_a_number_is_always_the_same_person() -> None:
    assert customer(77) == customer(77)
    assert customer(77).category(0.3) == customer(77).category(0.3)
    assert len({who.user_id for who in _MANY}) == len({who.traits for who in _MANY}) == len(_MANY)


def test_people_live_everywhere_and_pay_in_their_own_money() -> None:
    countries = Counter(who.country for who in _MANY)

    assert set(countries) == set(COUNTRIES)
    assert all(who.currency == CURRENCIES.get(who.country, "EUR") for who in _MANY)


def test_visits_come_from_few_devices_and_mostly_from_home() -> None:
    random = Random(1)
    abroad = visits = 0
    for who in _MANY[:300]:
        contexts = [who.context(random.random()) for _ in range(50)]
        assert len({context.device for context in contexts}) <= 3
        abroad += sum(context.country != who.country for context in contexts)
        visits += len(contexts)
    assert 0.005 < abroad / visits < 0.05
    assert {len({who.card(chance / 10) for chance in range(10)}) for who in _MANY[:100]} == {1, 2}


def test_most_visits_are_about_one_of_three_favourites_which_differ_between_people() -> None:
    random = Random(2)
    favourites: Counter[int] = Counter()
    for who in _MANY[:300]:
        about = Counter(who.category(random.random()) for _ in range(200))
        ((first, _),) = about.most_common(1)
        favourites[first] += 1
        assert sum(count for _, count in about.most_common(3)) > 0.85 * about.total()
    assert len(favourites) == len(CATEGORIES)


def test_what_goes_with_a_product_is_fixed_few_and_mostly_of_its_kind() -> None:
    catalogue, random = Catalogue(Random(3), 1_000), Random(4)
    same_kind = 0
    for product in catalogue.products[::50]:
        companions = {other.product_id: other for other in (catalogue.companion(product, random) for _ in range(300))}
        assert 2 < len(companions) <= 8
        assert product.product_id not in companions
        same_kind += sum(other.category == product.category for other in companions.values()) > len(companions) / 2
    assert same_kind == 20


def test_a_shop_of_one_product_still_sells() -> None:
    catalogue = Catalogue(Random(3), 1)

    assert catalogue.companion(catalogue.products[0], Random(1)) is catalogue.products[0]
    assert {catalogue.pick_from(kind, Random(1)) for kind in range(len(CATEGORIES))} == {catalogue.products[0]}
