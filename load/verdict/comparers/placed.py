"""Orders beside the purchases that were sent: each order id once, as its first purchase, and published to the topic. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from clickstream.load.verdict.comparers.compared import Compared, some
from clickstream.load.verdict.ledger import Bought


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the table has it. ``told``: "sent" once its placing is published."""

    order_id: str
    event_id: str
    user_id: str
    amount: int
    currency: str
    occurred_at: int
    told: str


def compare(purchases: Sequence[Bought], orders: Sequence[Placed], *, is_first: bool) -> Compared:
    """One user's purchases have an order, several users' have none: then the order may be any of the users' first.

    ``is_first``: nothing was ordered before the run; otherwise orders of other ids are left out.
    """
    firsts: dict[str, dict[str, Bought]] = {}
    for each in purchases:
        firsts.setdefault(each.order_id, {}).setdefault(each.user_id, each)
    by_id = {each.order_id: each for each in orders}
    missing = [order for order in firsts if order not in by_id]
    others = [order for order in by_id if order not in firsts]
    strangers = others if is_first else []
    pairs = [(order, by_id[order], firsts[order]) for order in firsts if order in by_id]
    wrong = [order for order, has, must in pairs if has.user_id not in must or _told(has) != _told(must[has.user_id])]
    untold = [order for order, has, _ in pairs if has.told != "sent"]
    compared = Compared(compared=len(firsts), lost=len(missing), duplicated=len(strangers), wrong=len(wrong) + len(untold))
    if not is_first and others:
        compared.left_out["orders of others"] = len(others)
    for orders_of, said in (
        (missing, "orders lost {}: nothing placed for"),
        (strangers, "orders has {} that nobody placed:"),
        (wrong, "orders has {} that are not as their first purchase was:"),
        (untold, "orders told the topic nothing of {}:"),
    ):
        if orders_of:
            compared.problems.append(f"{said.format(f'{len(orders_of):,}')} {some([ascii(each)[1:-1] for each in orders_of])}")
    return compared


def _told(purchase: Bought | Placed) -> tuple[str, int, str, int]:
    return purchase.event_id, purchase.amount, purchase.currency, purchase.occurred_at
