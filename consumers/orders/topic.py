"""The topics of the order workflow (SNS)."""

import msgspec

from clickstream.aws.boto_types import SNSClient
from clickstream.aws.topics import Topic
from clickstream.consumers.orders.messages import Message, encode, name_of


class OrdersTopic(Topic):
    """What happens to orders, told at least once."""

    def tell(self, message: Message) -> None:
        """Raises RetryLater, Unwritable."""
        self.publish(encode(message), {"step": message.step.value})


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer is told about an order, by whoever reads the notifications' queue."""

    order_id: str
    user_id: str
    step: str
    amount: int
    currency: str
    reason: str


class NotificationsTopic(Topic):
    """What customers are told. A FIFO topic: it drops a message whose id it had within five minutes."""

    def __init__(self, sns: SNSClient, name: str) -> None:
        super().__init__(sns, name, {"FifoTopic": "true", "ContentBasedDeduplication": "false"})

    def tell(self, message: Message) -> None:
        """Raises RetryLater, Unwritable."""
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
        self.publish(msgspec.json.encode(notification), {}, once=(group, f"{group}-{message.step.value}"))
