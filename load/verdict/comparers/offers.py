"""Recommendations beside the visitors who were there: each has an offer, made of what that visitor did and nobody else. Pure.

What an offer holds is the model's business, with two exceptions: the reason it gives must be a product that this visitor
touched or a search of theirs, and what the visitor bought once is not offered again. How often the next click was in the offer
is reported as a figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

import msgspec

from clickstream.load.verdict.comparers.compared import Compared, some
from clickstream.load.verdict.ledger import Visited

#: Places of an offer, and of the list of popular products that it is measured against.
LENGTH = 20


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """An offer as the table has it; ``because``: the products and searches that it gives as reasons. ``made_at``: Unix ms."""

    user_id: str
    items: Sequence[str]
    because: Sequence[str]
    made_at: int


def compare(
    visitors: Sequence[Visited],
    offers: Sequence[Offered],
    next_clicks: Mapping[str, str],
    *,
    started_ms: int,
    is_first: bool,
    alone: bool = True,
    consumables: Set[str] = frozenset(),
) -> Compared:
    """``is_first``: nobody visited before this run; otherwise an offer may follow from what was touched or bought then.
    ``alone``: nobody else visits meanwhile.

    ``consumables``: categories whose products are offered again to who has bought them.
    """
    by_user = {each.user_id: each for each in offers if each.made_at >= started_ms}
    known = {each.user_id for each in visitors}
    missing = [each.user_id for each in visitors if each.user_id not in by_user]
    strangers = [user for user in by_user if user not in known]
    others, strangers = (0, strangers) if alone else (len(strangers), [])
    pairs = [(each, by_user[each.user_id]) for each in visitors if each.user_id in by_user]
    compared = Compared(
        compared=len(visitors),
        lost=len(missing),
        duplicated=len(strangers),
        figures=_figures(visitors, by_user, next_clicks) | _waits(pairs),
    )
    if others:
        compared.left_out["offers for others"] = others
    if missing:
        compared.problems.append(f"recommendations lost {len(missing):,} visitors: no offer for {some(missing)}")
    if strangers:
        compared.problems.append(f"recommendations has offers for {len(strangers):,} who were not there: {some(strangers)}")
    if not is_first:
        compared.left_out["reasons of offers, since visitors may have been there before"] = len(pairs)
    else:
        mixed_up = [
            f"{offer.user_id} because of {strange[0]}"
            for visitor, offer in pairs
            if (
                strange := [
                    reason for reason in offer.because if reason not in visitor.touched and reason not in visitor.searched
                ]
            )
        ]
        if mixed_up:
            compared.wrong += len(mixed_up)
            compared.problems.append(
                f"recommendations swapped visitors: {len(mixed_up):,} offers have reasons that others gave: {some(mixed_up)}"
            )
        again = [
            visitor.user_id
            for visitor, offer in pairs
            if any(product in offer.items for product, category in visitor.bought.items() if category not in consumables)
        ]
        if again:
            compared.wrong += len(again)
            compared.problems.append(f"recommendations offers {len(again):,} visitors what they bought: {some(again)}")
    return compared


def _figures(visitors: Sequence[Visited], offers: Mapping[str, Offered], next_clicks: Mapping[str, str]) -> dict[str, float]:
    """Of the visitors under way at the end, how many would have found their next click in their offer."""
    popular = {product for product, _ in Counter(product for each in visitors for product in each.touched).most_common(LENGTH)}
    asked = [(user, product) for user, product in next_clicks.items() if user in offers]
    if not asked:
        return {}
    hits = sum(product in offers[user].items for user, product in asked)
    popular_hits = sum(product in popular for _, product in asked)
    return {
        "next_clicks": len(asked),
        "hit_rate": round(hits / len(asked), 4),
        "popularity_hit_rate": round(popular_hits / len(asked), 4),
    }


def _waits(pairs: Sequence[tuple[Visited, Offered]]) -> dict[str, float]:
    waits = sorted(offer.made_at - visitor.sent_ms for visitor, offer in pairs)
    return {f"offered_p{percent}_ms": waits[min(len(waits) - 1, len(waits) * percent // 100)] for percent in (50, 99) if waits}
