"""What the fold knows of a visitor, one rule each."""

from __future__ import annotations

from collections.abc import Sequence

from clickstream.consumers.recommendations.fold import RecommendationsFold, Visit
from clickstream.consumers.recommendations.visitors import (
    BOUGHT,
    BOUGHT_KEPT_MS,
    CARTED,
    MOST_ITEMS,
    REMOVED,
    SEARCHED,
    VIEWED,
    VISIT_GAP_MS,
)
from clickstream.events import AnyEvent
from clickstream.models.recommender.queries import query_of
from tests.unit.recommendations.traffic import START_MS, buy, cart, page, search, uncart, view


def visit_after(events: Sequence[AnyEvent]) -> Visit:
    fold = RecommendationsFold()
    fold.apply(events)
    (visit,) = fold.effects(flush=False)
    assert isinstance(visit, Visit)
    return visit


def test_items_in_order_of_the_last_touch_weighted_by_what_was_done() -> None:
    visit = visit_after([view("u", "a"), cart("u", "b"), view("u", "c"), uncart("u", "b"), view("u", "a")])
    assert list(visit.items.items()) == [("c", VIEWED), ("b", REMOVED), ("a", VIEWED)]
    assert visit.clicked == ["a", "b", "c", "a"]
    assert visit_after([cart("u", "a"), view("u", "a")]).items == {"a": CARTED}


def test_a_search_is_an_item_however_it_is_written_and_no_click() -> None:
    visit = visit_after([search("u", " Red  Shoes"), view("u", "a"), search("u", "red shoes"), search("u", "  ")])
    assert [query_of(item) or item for item in visit.items] == ["a", "red shoes"]
    assert list(visit.items.values()) == [VIEWED, SEARCHED]
    assert visit.clicked == ["a"]


def test_what_was_bought_is_told_and_forgotten_after_its_time() -> None:
    later = START_MS + BOUGHT_KEPT_MS
    bought: list[AnyEvent] = [view("u", "a"), buy("u", "a", "b", category="lamp")]
    assert visit_after(bought).items == {"a": BOUGHT, "b": BOUGHT}
    assert visit_after(bought).has == {"a": "lamp", "b": "lamp"}
    assert visit_after([*bought, view("u", "c", later)]).has == {"a": "lamp", "b": "lamp"}
    assert visit_after([*bought, view("u", "c", later + 1)]).has == {}


def test_what_was_ordered_more_than_once_lately_is_wanted_again() -> None:
    later = START_MS + BOUGHT_KEPT_MS
    once: list[AnyEvent] = [buy("u", "a", "b", "b")]  # twice in one order is one order
    assert set(visit_after(once).has) == {"a", "b"}
    again = [*once, buy("u", "a", at_ms=later)]
    assert set(visit_after(again).has) == {"b"}
    # the first order is forgotten together with the last one, not before
    assert set(visit_after([*again, view("u", "c", later + 1)]).has) == set()
    assert set(visit_after([*once, buy("u", "a", at_ms=later + 1)]).has) == {"a"}


def test_a_visit_ends_with_a_pause() -> None:
    begun = view("u", "a")
    assert visit_after([begun, view("u", "b", START_MS + VISIT_GAP_MS)]).items == {"a": VIEWED, "b": VIEWED}
    assert visit_after([begun, view("u", "b", START_MS + VISIT_GAP_MS + 1)]).items == {"b": VIEWED}


def test_an_event_that_comes_late_belongs_to_the_visit_that_goes_on() -> None:
    events = [view("u", "a"), view("other", "x", START_MS + VISIT_GAP_MS), view("u", "b", START_MS - 5)]
    fold = RecommendationsFold()
    fold.apply(events)
    visits = {visit.user_id: visit for visit in fold.effects(flush=True) if isinstance(visit, Visit)}
    assert list(visits["u"].items) == ["a", "b"]


def test_the_last_items_are_remembered() -> None:
    visit = visit_after([view("u", f"p{n}", START_MS + n) for n in range(MOST_ITEMS + 3)])
    assert list(visit.items) == [f"p{n}" for n in range(3, MOST_ITEMS + 3)]


def test_what_is_not_about_products_changes_no_offer_and_effects_come_once() -> None:
    fold = RecommendationsFold()
    fold.apply([page("u", START_MS)])
    assert fold.effects(flush=True) == []
    fold.apply([view("u", "a")])
    assert len(fold.effects(flush=False)) == 1
    assert fold.effects(flush=True) == []


def test_memory_holds_visitors_of_now_and_buyers_of_late() -> None:
    fold = RecommendationsFold()
    fold.apply([view("guest", "a"), buy("buyer", "a")])
    fold.effects(flush=False)
    fold.apply([view("now", "a", START_MS + VISIT_GAP_MS + 60_001)])
    assert len(fold._visitors) == 2
    fold.effects(flush=False)
    fold.apply([view("new", "a", START_MS + BOUGHT_KEPT_MS + 60_001)])
    assert len(fold._visitors) == 1
