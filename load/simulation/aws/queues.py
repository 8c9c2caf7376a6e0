"""SQS, SNS and webhooks in memory: where messages go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from clickstream.errors import RetryLater
from clickstream.load.simulation.aws.stores import SETTINGS, Client, SentMessage, suffix
from clickstream.platform import DEAD_LETTERS


class Sqs(Client):
    """A batch of dead letters may be taken in part."""

    service = "sqs"

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:
        return self._access.call("sqs", "GetQueueUrl", lambda: {"QueueUrl": QueueName}, writes=False)

    def send_message(
        self,
        *,
        QueueUrl: str,
        MessageBody: str,
        MessageDeduplicationId: str = "",
        MessageGroupId: str = "",
        MessageAttributes: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            asked = {"MessageAttributes": MessageAttributes} if MessageAttributes else {}
            self._refuse("SendMessage", others, QueueUrl=QueueUrl, MessageBody=MessageBody, **asked)
            self._stores.send(SentMessage(suffix(QueueUrl), MessageDeduplicationId, MessageBody), self._access.now_ms())
            return {}

        return self._access.call("sqs", "SendMessage", send, writes=True)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            self._refuse("SendMessageBatch", QueueUrl=QueueUrl, Entries=Entries)
            for entry in Entries:
                if QueueUrl == DEAD_LETTERS.of(SETTINGS):
                    self._stores.messages.append(entry["MessageBody"])
                    continue
                message = SentMessage(suffix(QueueUrl), entry.get("MessageDeduplicationId", ""), entry["MessageBody"])
                self._stores.send(message, self._access.now_ms())
            return {}

        return self._access.call("sqs", f"SendMessageBatch of {len(Entries)}", send, writes=True)


class Sns(Client):
    service = "sns"

    def create_topic(self, *, Name: str, Attributes: Mapping[str, str] | None = None) -> dict[str, str]:
        return self._access.call("sns", "CreateTopic", lambda: {"TopicArn": Name}, writes=False)

    def publish(
        self,
        *,
        TopicArn: str,
        Message: str,
        MessageDeduplicationId: str = "",
        MessageGroupId: str = "",
        Subject: str = "",
        MessageAttributes: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            asked = {"MessageAttributes": MessageAttributes} if MessageAttributes else {}
            self._refuse("Publish", others, TopicArn=TopicArn, Message=Message, **asked)
            self._stores.send(SentMessage(suffix(TopicArn), MessageDeduplicationId, Message), self._access.now_ms())
            return {}

        return self._access.call("sns", "Publish", send, writes=True)


class Webhooks(Client):
    """Shops' own servers, which know a message that comes again by its key."""

    service = "webhooks"

    def post(self, name: str, key: str, document: bytes) -> None:
        def take() -> None:
            self._stores.send(SentMessage(name, key, document.decode()), self._access.now_ms())

        try:
            self._access.call("webhooks", f"POST to {name}", take, writes=True)
        except ClientError as error:
            raise RetryLater(f"webhook {name}: no answer") from error
