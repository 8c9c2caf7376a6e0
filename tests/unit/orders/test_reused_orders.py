"""An order id that comes twice: whoever has it keeps it, and a client can neither confirm nor fail another's order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from click.testing import CliRunner

from clickstream.cli import cli
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders.messages import Order, Step
from clickstream.consumers.orders.needs import INVENTORY, ORDERS, QUEUES
from clickstream.consumers.orders.steps import DecisionPending
from clickstream.consumers.orders.table import OrdersTable
from clickstream.errors import Forbidden
from tests.unit.orders.shop import order
from tests.unit.orders.test_steps import Shop, shop

__all__ = ["shop"]

MINE = order(1, ("a", 1))


class WithoutGetItem:
    """DynamoDB under the role of the orders worker, which may put and update and nothing else."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb

    def __getattr__(self, name: str) -> Any:
        if name in ("put_item", "update_item", "exceptions"):
            return getattr(self._dynamodb, name)
        return self._refuse(name)

    def _refuse(self, name: str) -> Callable[..., Any]:
        def call(**_: Any) -> Any:
            raise Forbidden(f"not authorized to perform: {name}", action=name, resource="orders")

        return call


def test_a_replay_needs_no_right_to_read(shop: Shop) -> None:
    settings, dynamodb = shop.settings, shop.clients.dynamodb
    shop.table = OrdersTable(cast(Any, WithoutGetItem(dynamodb)), ORDERS.of(settings), INVENTORY.of(settings))
    for _ in range(2):
        shop.place(MINE, msgspec.structs.replace(MINE, user_id="mallory"))
    assert OrdersTable(dynamodb, ORDERS.of(settings), INVENTORY.of(settings)).read(MINE.order_id).told == "sent"


@pytest.mark.parametrize(
    "change", [{"user_id": "mallory"}, {"amount": 1}, {"currency": "JPY"}, {"lines": order(1, ("a", 2)).lines}]
)
@pytest.mark.parametrize("event_id", [MINE.event_id, "another"])
def test_another_purchase_is_refused_and_shown_and_changes_nothing(shop: Shop, change: dict[str, Any], event_id: str) -> None:
    theirs = msgspec.structs.replace(MINE, event_id=event_id, **change)
    for _ in range(2):
        shop.place(MINE, theirs)
    stood = shop.table.read(MINE.order_id)
    assert (stood.order, stood.step) == (MINE, Step.PLACED)
    told = shop.messages(QUEUES["placed"].of(shop.settings))
    assert [msgspec.convert(each["order"], Order) for each in told] == [MINE]
    shown = CliRunner().invoke(cli, ["orders", "show", MINE.order_id, "--json"], catch_exceptions=False).stdout
    (refused,) = json.loads(shown)["refused"]
    assert (msgspec.convert(refused["order"], Order), refused["step"]) == (theirs, "refused")
    assert "refused under the same id" in CliRunner().invoke(cli, ["orders", "show", MINE.order_id]).stdout


def test_a_purchase_that_is_put_again_under_another_event_id_is_no_other_order(shop: Shop) -> None:
    shop.place(MINE, msgspec.structs.replace(MINE, event_id="again", occurred_at=MINE.occurred_at + 1))
    assert shop.table.read(MINE.order_id).refused == ()


def test_a_flood_under_one_id_leaves_the_order_small(shop: Shop) -> None:
    shop.place(MINE, *(msgspec.structs.replace(MINE, user_id=f"mallory-{n}") for n in range(40)))
    assert len(shop.table.read(MINE.order_id).refused) == 20
    assert shop.table.read(MINE.order_id).order == MINE


def test_an_approval_of_another_purchase_confirms_nothing(shop: Shop) -> None:
    shop.inventory.add({"a": 5})
    shop.place(MINE)
    shop.steps.reserve(MINE)
    shop.decide(msgspec.structs.replace(MINE, user_id="harmless", amount=1), "approve")
    with pytest.raises(DecisionPending):
        shop.steps.confirm(MINE)
    reused: dict[str, Any] = {
        "event_id": {"S": f"{MINE.event_id}\x1f{MINE.purchase}"},
        "purchase": {"S": MINE.purchase},
        "verdict": {"S": "block"},
    }
    shop.clients.dynamodb.put_item(TableName=DECISIONS.of(shop.settings), Item=reused)
    assert shop.steps.confirm(MINE).step is Step.CANCELLED


def test_a_reason_names_some_products(shop: Shop) -> None:
    many = order(2, *((f"{n:02d}" * 128, 1) for n in range(99)))
    shop.place(many)
    reason = shop.steps.reserve(many).reason
    assert reason.startswith("sold out: 0000")
    assert reason.endswith("and 89 more")
    assert len(reason) < 4_000
