"""The orders and inventory tables (DynamoDB): every change is one conditional write, so a repetition changes nothing.

An order moves from step to step by a write that names the step it comes from. Goods are taken from the inventory, or given
back, in the same transaction as that write: there is no moment in which one has happened and the other not.
"""

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.aws.boto_types import DynamoDBClient, TransactWriteItemTypeDef
from clickstream.aws.items import Value, update
from clickstream.consumers.orders.messages import Line, Order, Step
from clickstream.consumers.orders.needs import INVENTORY, ORDERS
from clickstream.errors import Missing, RetryLater
from clickstream.failures.outages import asked, translated
from clickstream.purchases import MOST_NAMED, reused
from clickstream.settings import Settings

PENDING, SENT = "pending", "sent"
#: DynamoDB's TTL may delete an order after this time.
KEPT_S = 400 * 86_400
#: DynamoDB takes 100 writes in a transaction; one is the order's own.
MOST_PRODUCTS = 99
#: Two transactions on one product at the same moment: DynamoDB refuses one of them, and it is tried again at once.
_CONFLICTS = 8
_CONFLICT_WAIT_S = 0.05
_CONFLICTING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the table has it. ``told``: pending until the topic has its placing; ``notified``: the step last told."""

    order: Order
    step: Step
    reason: str
    told: str
    notified: str
    refused: tuple[str, ...] = ()
    """Purchases that came with the same order id, of another user or of other goods."""


class SoldOut(msgspec.Struct, frozen=True):
    """Nothing was taken: there is not enough of these."""

    products: tuple[str, ...]


class OrdersTable:
    """Raises RetryLater when DynamoDB does not answer or two transactions keep getting in each other's way."""

    def __init__(self, dynamodb: DynamoDBClient, orders: str, inventory: str, *, sleep: Callable[[float], None] = time.sleep):
        self._dynamodb = dynamodb
        self._orders = orders
        self._inventory = inventory
        self._sleep = sleep

    def place(self, order: Order, now_s: int) -> Stored:
        """The order that stands under this id: just placed, or as somebody placed it before."""
        try:
            with translated("DynamoDB"):
                self._dynamodb.put_item(
                    TableName=self._orders,
                    Item=_item(order, order.order_id, Step.PLACED, now_s, told=PENDING),
                    ConditionExpression="attribute_not_exists(order_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            stood: Mapping[str, Any] = refused.response["Item"]  # type: ignore[typeddict-item]  # not in the stubs
            return stored(stood)
        return Stored(order=order, step=Step.PLACED, reason="", told=PENDING, notified="")

    def refuse(self, order: Order, now_s: int) -> None:
        """Keep an order whose id is another one's, beside that, which names it; of a flood only some are named."""
        item = _item(order, reused(order.order_id, order.purchase), Step.REFUSED, now_s, reason="its id is another order's")
        named: dict[str, Value] = {"purchase": frozenset({order.purchase}), "most": MOST_NAMED}
        change = self._change(
            order.order_id, "ADD refused :purchase", named, "attribute_not_exists(refused) OR size(refused) < :most"
        )
        with translated("DynamoDB"), suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(TableName=self._orders, Item=item)
            self._dynamodb.update_item(**change)

    @classmethod
    def of(cls, clients: Clients, settings: Settings) -> "OrdersTable":
        return cls(clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings))

    def read(self, order_id: str) -> Stored:
        """Raises Missing when nobody placed it."""
        with translated("DynamoDB"):
            found = self._dynamodb.get_item(TableName=self._orders, Key={"order_id": {"S": order_id}}, ConsistentRead=True)
        if "Item" not in found:
            raise Missing(f"no order {order_id}", hint="`clickstream worker orders` places the orders of purchase events")
        return stored(found["Item"])

    def mark_told(self, order_id: str) -> None:
        self._set(order_id, "told", SENT)

    def mark_notified(self, order_id: str, step: Step) -> None:
        self._set(order_id, "notified", step.value)

    def _set(self, order_id: str, attribute: str, value: str) -> None:
        change = self._change(order_id, f"SET #{attribute} = :value", {"value": value}, "attribute_exists(order_id)")
        with translated("DynamoDB"):
            self._dynamodb.update_item(**change)

    def _change(self, order_id: str, expression: str, values: Mapping[str, Value], condition: str) -> Any:
        return update(self._orders, {"order_id": order_id}, expression, values, condition)

    def move(self, order_id: str, to: Step, *, since: Collection[Step], reason: str = "") -> bool:
        """To another step, unless it has left those of ``since``; whether it moved."""
        return self._transact([self._moving(order_id, to, since, reason)]) is True

    def reserve(self, order: Order) -> bool | SoldOut:
        """Take all goods from the inventory and move to RESERVED, or nothing at all; False if it is not PLACED any more."""
        taking = [self._taking(line) for line in order.lines]
        refused = self._transact([*taking, self._moving(order.order_id, Step.RESERVED, (Step.PLACED,), "")])
        if isinstance(refused, bool):
            return refused
        return SoldOut(tuple(order.lines[n].product_id for n in refused))

    def give_back(self, order: Order, to: Step, *, since: Collection[Step], reason: str) -> bool:
        """Make the goods available again and move on, or nothing at all; False if it has left the steps of ``since``."""
        given: list[TransactWriteItemTypeDef] = [
            {"Update": added(self._inventory, line.product_id, line.quantity)} for line in order.lines
        ]
        return self._transact([*given, self._moving(order.order_id, to, since, reason)]) is True

    def _transact(self, writes: Sequence[TransactWriteItemTypeDef]) -> bool | list[int]:
        """True: done. False: the order (the last write) has moved before. Else which of the other conditions failed."""
        for attempt in range(_CONFLICTS):
            with translated("DynamoDB"):
                try:
                    self._dynamodb.transact_write_items(TransactItems=writes)
                    return True
                except self._dynamodb.exceptions.TransactionCanceledException as error:
                    codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
                    refusal: Exception = error
            if codes[-1] == "ConditionalCheckFailed":
                return False
            if not _CONFLICTING.isdisjoint(codes):
                self._sleep(random.uniform(0, _CONFLICT_WAIT_S * 2**attempt))
                continue
            failed = [n for n, code in enumerate(codes) if code == "ConditionalCheckFailed"]
            if not failed:
                raise refusal
            return failed
        raise RetryLater("DynamoDB: other transactions on the same goods keep coming first")

    def _moving(self, order_id: str, to: Step, since: Collection[Step], reason: str) -> TransactWriteItemTypeDef:
        steps = {f"since{n}": step.value for n, step in enumerate(since)}
        values = {"to": to.value, "reason": reason, **steps}
        condition = f"#step IN ({', '.join(f':{name}' for name in steps)})"
        return {"Update": self._change(order_id, "SET #step = :to, #reason = :reason", values, condition)}

    def _taking(self, line: Line) -> TransactWriteItemTypeDef:
        product, quantity = {"product_id": line.product_id}, {"quantity": line.quantity}
        change = "SET available = available - :quantity"
        return {"Update": update(self._inventory, product, change, quantity, "available >= :quantity")}


class Inventory:
    """What is to be had, for whoever fills the shelves."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def add(self, quantities: Mapping[str, int]) -> None:
        """Deliveries: so many more of each product. Not idempotent, as a second delivery is not the first."""
        for product, quantity in quantities.items():
            with translated("DynamoDB"):
                self._dynamodb.update_item(**added(self._table, product, quantity))

    def available(self) -> dict[str, int]:
        """Of every product that was ever delivered."""
        with translated("DynamoDB"):
            pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
            return {item["product_id"]["S"]: int(item["available"]["N"]) for page in pages for item in page["Items"]}

    def sold_out(self) -> frozenset[str]:
        """Products of which nothing is left; without the table, and of what was never delivered, nobody counts."""
        with suppress(Missing), asked("DynamoDB", f"table {self._table}"):
            pages = self._dynamodb.get_paginator("scan").paginate(
                TableName=self._table,
                FilterExpression="available <= :nothing",
                ExpressionAttributeValues={":nothing": {"N": "0"}},
                ProjectionExpression="product_id",
            )
            return frozenset(item["product_id"]["S"] for page in pages for item in page["Items"])
        return frozenset()


def added(inventory: str, product: str, quantity: int) -> Any:
    """The update that makes so many more of a product available."""
    return update(inventory, {"product_id": product}, "ADD available :quantity", {"quantity": quantity})


def stored(item: Mapping[str, Any]) -> Stored:
    texts = {name: item[name]["S"] for name in ("reason", "told", "notified")}
    refused = tuple(item.get("refused", {"SS": ()})["SS"])
    return Stored(order=_decoder.decode(item["order"]["S"]), step=Step(item["step"]["S"]), refused=refused, **texts)


def _item(order: Order, key: str, step: Step, now_s: int, *, reason: str = "", told: str = "") -> dict[str, Any]:
    return {
        "order_id": {"S": key},
        "event_id": {"S": order.event_id},
        "user_id": {"S": order.user_id},
        "occurred_at": {"N": str(order.occurred_at)},
        "step": {"S": step.value},
        "reason": {"S": reason},
        "told": {"S": told},
        "notified": {"S": ""},
        "order": {"S": msgspec.json.encode(order).decode()},
        "expires_at": {"N": str(now_s + KEPT_S)},
    }


_decoder = msgspec.json.Decoder(Order)
