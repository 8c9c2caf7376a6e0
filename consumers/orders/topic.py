"""The topics of the order workflow (SNS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumers.orders.messages import Message, encode, name_of
from consumers.runtime.outages import translated

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class _Topic:
    """A topic's ARN is asked for by name at the first message; that also makes a topic which is not there."""

    def __init__(self, sns: SNSClient, name: str, attributes: dict[str, str]) -> None:
        self._sns = sns
        self._name = name
        self._attributes = attributes
        self._found: str | None = None

    @property
    def arn(self) -> str:
        if self._found is None:
            self._found = self._sns.create_topic(Name=self._name, Attributes=self._attributes)["TopicArn"]
        return self._found


class OrdersTopic:
    """What happens to orders, told at least once."""

    def __init__(self, sns: SNSClient, name: str) -> None:
        self._sns = sns
        self._topic = _Topic(sns, name, {})

    def tell(self, message: Message) -> None:
        """Raises RetryLater."""
        with translated("SNS"):
            self._sns.publish(
                TopicArn=self._topic.arn,
                Message=encode(message).decode(),
                MessageAttributes={"step": {"DataType": "String", "StringValue": message.step.value}},
            )


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer is told about an order, by whoever reads the notifications' queue."""

    order_id: str
    user_id: str
    step: str
    amount: int
    currency: str
    reason: str


class NotificationsTopic:
    """What customers are told. A FIFO topic: it drops a message whose id it had within five minutes."""

    def __init__(self, sns: SNSClient, name: str) -> None:
        self._sns = sns
        self._topic = _Topic(sns, name, {"FifoTopic": "true", "ContentBasedDeduplication": "false"})

    def tell(self, message: Message) -> None:
        """Raises RetryLater."""
        order = message.order
        notification = Notification(
            order_id=order.order_id,
            user_id=order.user_id,
            step=message.step.value,
            amount=order.amount,
            currency=order.currency,
            reason=message.reason,
        )
        group = name_of(order.order_id)
        with translated("SNS"):
            self._sns.publish(
                TopicArn=self._topic.arn,
                Message=msgspec.json.encode(notification).decode(),
                MessageGroupId=group,
                MessageDeduplicationId=f"{group}-{message.step.value}",
            )
