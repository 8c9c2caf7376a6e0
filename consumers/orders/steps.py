"""The steps of an order's life. Each may be taken any number of times, by anybody, at once: it happens once.

They know nothing of who calls them: a queue's consumer (choreography) or a state machine (orchestration).
"""

from collections.abc import Callable
from functools import partial

from clickstream.aws import Clients
from clickstream.aws.boto_types import DynamoDBClient
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders.messages import Message, Order, Step
from clickstream.consumers.orders.needs import NOTIFICATIONS
from clickstream.consumers.orders.table import MOST_PRODUCTS, OrdersTable, SoldOut
from clickstream.consumers.orders.topic import NotificationsTopic
from clickstream.errors import RetryLater
from clickstream.failures.outages import translated
from clickstream.purchases import reused
from clickstream.settings import Settings

BLOCK = "block"
#: Products that a reason names: it travels in messages beside the order itself.
_NAMED = 10


class DecisionPending(RetryLater):
    """Fraud has not decided on the purchase yet."""


def verdict(dynamodb: DynamoDBClient, decisions: str, order: Order) -> str:
    """Fraud's, as its table shows it to everybody: approve, review or block.

    On this order's very purchase: an approval of another one under the same event id is none of it.
    Raises DecisionPending, RetryLater.
    """
    for key in (order.event_id, reused(order.event_id, order.purchase)):
        with translated("DynamoDB"):
            found = dynamodb.get_item(
                TableName=decisions,
                Key={"event_id": {"S": key}},
                ProjectionExpression="verdict, purchase",
                ConsistentRead=True,
            )
        if "Item" not in found:
            break
        if found["Item"]["purchase"]["S"] == order.purchase:
            return found["Item"]["verdict"]["S"]
    raise DecisionPending(f"no decision on {order.event_id} yet")


class Steps:
    """Raises RetryLater when a step could not be taken; taking it again later is always right."""

    def __init__(self, orders: OrdersTable, verdict: Callable[[Order], str], notifications: NotificationsTopic) -> None:
        self._orders = orders
        self._verdict = verdict
        self._notifications = notifications

    def reserve(self, order: Order) -> Message:
        """RESERVED or REJECTED; or wherever the order has come to meanwhile."""
        if len(order.lines) > MOST_PRODUCTS:
            self._orders.move(order.order_id, Step.REJECTED, since=(Step.PLACED,), reason=f"over {MOST_PRODUCTS} products")
            return self._standing(order)
        done = self._orders.reserve(order)
        if isinstance(done, SoldOut):
            reason = f"sold out: {', '.join(done.products[:_NAMED])}"
            if (more := len(done.products) - _NAMED) > 0:
                reason += f" and {more} more"
            self._orders.move(order.order_id, Step.REJECTED, since=(Step.PLACED,), reason=reason)
        return self._standing(order)

    def confirm(self, order: Order) -> Message:
        """CONFIRMED; CANCELLED and the goods given back when fraud blocks it. A person reviews after that, and may cancel.

        Raises DecisionPending.
        """
        standing = self._standing(order)
        if standing.step is not Step.RESERVED:
            return standing
        if self._verdict(standing.order) == BLOCK:
            self._orders.give_back(order, Step.CANCELLED, since=(Step.RESERVED,), reason="fraud")
        else:
            self._orders.move(order.order_id, Step.CONFIRMED, since=(Step.RESERVED,))
        return self._standing(order)

    def release(self, order: Order, reason: str) -> Message:
        """CANCELLED, and what was taken is available again: the compensation of all steps before. A rejected order stays so."""
        if not self._orders.move(order.order_id, Step.CANCELLED, since=(Step.PLACED,), reason=reason):
            self._orders.give_back(order, Step.CANCELLED, since=(Step.RESERVED, Step.CONFIRMED), reason=reason)
        return self._standing(order)

    def notify(self, order: Order) -> Message:
        """Tell the customer where the order stands.

        Once: the mark keeps later calls from telling it again, and the topic drops what is told again within five minutes.
        Only a crash between topic and mark with a longer pause after it would tell a customer twice.
        """
        stored = self._orders.read(order.order_id)
        message = Message(step=stored.step, order=stored.order, reason=stored.reason)
        if stored.notified != stored.step.value:
            self._notifications.tell(message)
            self._orders.mark_notified(order.order_id, stored.step)
        return message

    def _standing(self, order: Order) -> Message:
        """What the table says, and not what this call did: it may have been done before, or be overtaken by now."""
        stored = self._orders.read(order.order_id)
        return Message(step=stored.step, order=stored.order, reason=stored.reason)


def steps(clients: Clients, settings: Settings) -> Steps:
    return Steps(
        OrdersTable.of(clients, settings),
        partial(verdict, clients.dynamodb, DECISIONS.of(settings)),
        NotificationsTopic(clients.sns, NOTIFICATIONS.of(settings)),
    )
