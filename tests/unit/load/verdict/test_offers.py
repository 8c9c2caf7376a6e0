"""Every visitor has an offer that follows from what that visitor did; how good it is, is a figure."""

from __future__ import annotations

import msgspec

from clickstream.load.verdict.comparers.compared import Compared
from clickstream.load.verdict.comparers.offers import Offered, compare
from clickstream.load.verdict.ledger import Visited

VISITORS = [
    Visited(user_id="u1", sent_ms=5_000, touched=["p1", "p2"], searched=["red mug"], bought={"p2": "mug"}),
    Visited(user_id="u2", sent_ms=5_000, touched=["p3"], searched=[], bought={}),
]
OFFERS = [
    Offered(user_id="u1", items=["p3", "p9"], because=["p1"], made_at=5_400),
    Offered(user_id="u2", items=["p8"], because=["p3"], made_at=5_200),
]


def _compare(offers: list[Offered], *, is_first: bool = True, started_ms: int = 5_000) -> Compared:
    return compare(VISITORS, offers, {"u1": "p9", "u2": "p1", "u3": "p1"}, started_ms=started_ms, is_first=is_first)


def test_an_offer_for_each_is_exact_and_next_clicks_are_figures() -> None:
    compared = _compare(OFFERS)

    assert compared.is_exact
    assert compared.compared == 2
    assert compared.figures["next_clicks"] == 2
    assert compared.figures["hit_rate"] == 0.5
    assert compared.figures["popularity_hit_rate"] == 0.5
    assert compared.figures["offered_p50_ms"] == 400


def test_a_search_of_the_visitors_own_is_a_reason_and_one_of_somebody_else_is_not() -> None:
    searched = msgspec.structs.replace(OFFERS[0], because=["red mug"])
    assert _compare([searched, OFFERS[1]]).is_exact
    assert _compare([OFFERS[0], msgspec.structs.replace(OFFERS[1], because=["red mug"])]).wrong == 1


def test_a_visitor_without_an_offer_or_with_an_old_one_is_lost() -> None:
    assert _compare(OFFERS[1:]).problems == ["recommendations lost 1 visitors: no offer for u1"]
    assert _compare(OFFERS, started_ms=5_300).lost == 1


def test_an_offer_for_somebody_who_was_not_there_is_one_too_many() -> None:
    stranger = Offered(user_id="u9", items=["p1"], because=[], made_at=5_100)

    assert _compare([*OFFERS, stranger]).duplicated == 1


def test_reasons_that_another_visitor_gave_are_swapped_visitors() -> None:
    swapped = [
        Offered(user_id="u1", items=["p8"], because=["p3"], made_at=5_400),
        Offered(user_id="u2", items=["p9"], because=["p1"], made_at=5_400),
    ]

    compared = _compare(swapped)

    assert compared.wrong == 2
    assert compared.problems[0].startswith("recommendations swapped visitors: 2 offers have reasons that others gave: u1")
    assert _compare(swapped, is_first=False).is_exact, "they may have touched it in an earlier run"


def test_what_was_bought_must_not_be_offered_again() -> None:
    again = [Offered(user_id="u1", items=["p2"], because=["p1"], made_at=5_400), OFFERS[1]]

    assert _compare(again).problems == ["recommendations offers 1 visitors what they bought: u1"]
    mugs_wear_out = compare(VISITORS, again, {}, started_ms=5_000, is_first=True, consumables={"mug"})
    assert mugs_wear_out.is_exact
