"""The order workflow's real handlers behind the real queues of the embedded AWS, with a failure where a test wants one.

Lambda's event source mapping is played by :meth:`Bench.drain`: receive, invoke, delete what did not fail. The whole of it
inside the embedded Lambda is tested in test_orders_life.py; here a failure must be put into one call of one invocation.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import EndpointConnectionError

from clickstream.aws import Clients
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders import functions
from clickstream.consumers.orders.messages import Message, Order, Step
from clickstream.consumers.orders.needs import EVENTS, INVENTORY, NOTIFICATIONS_QUEUE, ORDERS, QUEUES
from clickstream.consumers.orders.sink import PlacedOrders
from clickstream.consumers.orders.table import Inventory, OrdersTable, Stored
from clickstream.consumers.orders.topic import OrdersTopic
from clickstream.records.position import START
from clickstream.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

HANDLERS: dict[str, Callable[[Any, LambdaContext], Any]] = {
    "placed": functions.reserve,
    "reserved": functions.confirm,
    "settled": functions.notify,
}
_DEADLINE_S = 60.0


class Context(LambdaContext):
    """What Lambda tells a function; what an invocation has begun counts as abandoned a second later."""

    def __init__(self, name: str) -> None:
        self._function_name = name
        self._memory_limit_in_mb = 256
        self._invoked_function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        self._aws_request_id = name

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 1000


def sqs_event(bodies: list[str]) -> dict[str, Any]:
    return {"Records": [{"messageId": str(n), "body": body, "eventSource": "aws:sqs"} for n, body in enumerate(bodies)]}


class Calls:
    """The AWS calls of the handlers, in order; one of them can be made to fail, before or after it took effect."""

    def __init__(self, clients: Clients) -> None:
        self.made: set[tuple[str, str]] = set()
        """(queue, call)"""
        self.serving = ""
        """The queue whose handler is at work."""
        self._fail: tuple[str, str, str] | None = None
        for client in (clients.dynamodb, clients.sns):
            client.meta.events.register("before-call", self._before)
            client.meta.events.register("after-call", self._after)

    def fail_once(self, queue: str, call: str, when: str) -> None:
        self._fail = (queue, call, when)

    @property
    def has_failed(self) -> bool:
        return self._fail is None

    def _before(self, model: Any, **_: Any) -> None:
        self.made.add((self.serving, model.name))
        self._strike(model.name, "before")

    def _after(self, model: Any, **_: Any) -> None:
        self._strike(model.name, "after")

    def _strike(self, call: str, when: str) -> None:
        if self._fail == (self.serving, call, when):
            self._fail = None
            raise EndpointConnectionError(endpoint_url="http://the.test.says.no")


class Bench:
    """The workflow of ``settings``, whose variables the test has put into the environment."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self.table = OrdersTable(self.clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings))
        self.inventory = Inventory(self.clients.dynamodb, INVENTORY.of(settings))
        functions.workflow.cache_clear()
        self.calls = Calls(functions.workflow().clients)
        self._urls = {step: self._url(QUEUES[step].of(settings)) for step in HANDLERS}
        for url in self._urls.values():
            self.clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1", "DelaySeconds": "0"})

    def _url(self, queue: str) -> str:
        return self.clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]

    def place(self, *orders: Order) -> None:
        PlacedOrders(self.table, OrdersTopic(self.clients.sns, EVENTS.of(self.settings))).write(orders, START)

    def retell(self, *orders: Order) -> None:
        """Tell of their placing again, as a topic may, and as a worker that died before its mark does."""
        for each in orders:
            OrdersTopic(self.clients.sns, EVENTS.of(self.settings)).tell(Message(step=Step.PLACED, order=each))

    def decide(self, order: Order, verdict: str) -> None:
        item: dict[str, Any] = {"event_id": {"S": order.event_id}, "purchase": {"S": order.purchase}, "verdict": {"S": verdict}}
        self.clients.dynamodb.put_item(TableName=DECISIONS.of(self.settings), Item=item)

    def drain(self, orders: list[Order]) -> None:
        """Serve all queues until the customers of these orders are told and no message is left."""
        deadline = time.monotonic() + _DEADLINE_S
        while not (self._serve() == 0 and self._waiting() == 0 and all(self.stands(order).notified for order in orders)):
            assert time.monotonic() < deadline, [self.stands(order) for order in orders]

    def stands(self, order: Order) -> Stored:
        return self.table.read(order.order_id)

    def _serve(self) -> int:
        served = 0
        for step, handler in HANDLERS.items():
            messages = self.clients.sqs.receive_message(QueueUrl=self._urls[step], MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                continue
            served += len(messages)
            self.calls.serving = step
            answer = handler(sqs_event([message["Body"] for message in messages]), Context(f"order-{step}"))
            failed = {int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]}
            for n, message in enumerate(messages):
                if n not in failed:
                    self.clients.sqs.delete_message(QueueUrl=self._urls[step], ReceiptHandle=message["ReceiptHandle"])
        return served

    def _waiting(self) -> int:
        """Messages that are there, or were taken and may come back."""
        return sum(
            self._count(url, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
            for url in self._urls.values()
        )

    def _count(self, url: str, *attributes: QueueAttributeNameType) -> int:
        found = self.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(attributes))["Attributes"]
        return sum(int(found[attribute]) for attribute in attributes)

    def dead_letters(self) -> int:
        queues = [self._url(f"{QUEUES[step].of(self.settings)}-dead") for step in HANDLERS]
        return sum(self._count(url, "ApproximateNumberOfMessages") for url in queues)

    def notifications(self) -> list[tuple[str, str]]:
        """(order id, step) of every notification that waits, taken out."""
        return [(told["order_id"], told["step"]) for told in received(self.clients, self.settings)]


def received(clients: Clients, settings: Settings) -> list[dict[str, Any]]:
    """Every notification that waits for a mail service, taken out."""
    url = clients.sqs.get_queue_url(QueueName=NOTIFICATIONS_QUEUE.of(settings))["QueueUrl"]
    found: list[dict[str, Any]] = []
    while messages := clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def as_message(order: Order) -> str:
    """As the orders topic tells of a placed order."""
    return json.dumps({"step": "placed", "order": msgspec.to_builtins(order), "reason": ""})
