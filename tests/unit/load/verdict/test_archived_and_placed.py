"""The archive's rows and the orders' table beside what was sent: each kind of difference is found and named."""

from __future__ import annotations

import msgspec
import pytest

from clickstream.load.verdict.comparers import archived, placed
from clickstream.load.verdict.comparers.placed import Placed
from clickstream.load.verdict.ledger import Bought

SENT = [("e1", "u1"), ("e1", "u2"), ("e2", "u1")]
FINGERPRINTS = archived.fingerprints(SENT)


def test_an_archive_of_all_events_once_is_exact_in_any_order() -> None:
    compared = archived.compare(FINGERPRINTS, reversed(SENT), is_first=True)
    assert (compared.is_exact, compared.compared) == (True, 3)


@pytest.mark.parametrize(
    ("rows", "lost", "duplicated"),
    [(SENT[1:], 1, 0), ([*SENT, SENT[0]], 0, 1), ([*SENT, ("e9", "u1")], 0, 1), ([("e1", "u1")] * 3, 2, 2)],
)
def test_what_an_archive_lacks_or_has_twice_is_counted(rows: list[archived.Row], lost: int, duplicated: int) -> None:
    compared = archived.compare(FINGERPRINTS, rows, is_first=True)
    assert (compared.lost, compared.duplicated) == (lost, duplicated)
    assert compared.problems


def test_rows_of_earlier_runs_are_left_out_and_a_doubled_one_of_ours_is_not() -> None:
    assert archived.compare(FINGERPRINTS, [*SENT, ("old", "u")], is_first=False).is_exact
    assert archived.compare(FINGERPRINTS, [*SENT, SENT[0]], is_first=False).duplicated == 1


def test_readers_look_at_the_widest_files() -> None:
    place = "date=2026-11-30/hour=07/shardId-000000000001"
    wide, narrow = f"{place}.00000000-00000003.parquet", f"{place}.00000002-00000002.parquet"
    beside, foreign = f"{place}.00000004-00000004.parquet", narrow.replace("0001.", "0002.")
    assert archived.looked_at([wide, narrow, beside, foreign, "date=x/tmp"]) == [wide, beside, foreign]


def bought(event: str, order: str, user: str, amount: int = 1) -> Bought:
    return Bought(
        event_id=event, order_id=order, user_id=user, amount=amount, currency="EUR", occurred_at=1, sent_ms=1
    )  # fmt: skip


PURCHASES = [bought("e1", "o1", "u1"), bought("e2", "o1", "u1", 5), bought("e3", "o1", "u2"), bought("e4", "o2", "u1")]


def order(purchase: Bought) -> Placed:
    same = {name: getattr(purchase, name) for name in ("event_id", "order_id", "user_id", "amount", "currency", "occurred_at")}
    return Placed(told="sent", **same)


FIRST, SECOND, OTHERS, ALONE = map(order, PURCHASES)


@pytest.mark.parametrize("first", [FIRST, OTHERS])
def test_an_order_is_the_first_purchase_of_one_of_its_users(first: Placed) -> None:
    compared = placed.compare(PURCHASES, [first, ALONE], is_first=True)
    assert (compared.is_exact, compared.compared) == (True, 2)


@pytest.mark.parametrize(
    ("orders", "counts"),
    [
        ([FIRST], (1, 0, 0)),
        ([SECOND, ALONE], (0, 0, 1)),
        ([FIRST, msgspec.structs.replace(ALONE, amount=7)], (0, 0, 1)),
        ([FIRST, msgspec.structs.replace(ALONE, told="pending")], (0, 0, 1)),
        ([FIRST, ALONE, msgspec.structs.replace(ALONE, order_id="o9")], (0, 1, 0)),
    ],
)
def test_orders_that_are_missing_wrong_untold_or_nobodys(orders: list[Placed], counts: tuple[int, int, int]) -> None:
    compared = placed.compare(PURCHASES, orders, is_first=True)
    assert (compared.lost, compared.duplicated, compared.wrong) == counts
    assert len(compared.problems) == 1
