"""Messages, each sent once for its identity: kept in a table as pending, sent, then marked.

Given again, a message is found pending and completed, or found sent and left. Only a crash between sending and the mark sends
twice, under the same key: a FIFO queue or topic drops that within five minutes, and a webhook knows it by its
``Idempotency-Key``. The first body of an identity is the one that is sent; of two shards that use the same one, either may be.
"""

from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256

from botocore.exceptions import ClientError

from clickstream.answers.effects import Message, identity
from clickstream.aws import Clients
from clickstream.aws.boto_types import DynamoDBClient
from clickstream.aws.items import item, update
from clickstream.aws.topics import Topic, attribute, body
from clickstream.failures.outages import translated

PENDING, SENT = "pending", "sent"
#: DynamoDB's TTL may forget an identity after this time.
KEPT_S = 400 * 86_400

Deliver = Callable[[str, str, bytes], None]
"""(id, key, JSON): ``key`` stands for the identity wherever letters and digits alone are taken."""


class Outbox:
    """``deliver``: by the messages' name. Raises RetryLater, Unwritable."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, deliver: Mapping[str, Deliver]) -> None:
        self._dynamodb, self._table, self._deliver = dynamodb, table, deliver

    def send(self, message: Message, now_s: int) -> None:
        """Not side by side with another message of the same identity."""
        name = identity(message.messages, message.id)
        kept = item({"id": name, "body": message.body, "state": PENDING, "expires": now_s + KEPT_S})
        try:
            with translated("DynamoDB"):
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=kept,
                    ConditionExpression="attribute_not_exists(id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as refused:
            kept = refused.response["Item"]  # type: ignore[typeddict-item]  # not in the stubs
        if kept["state"]["S"] == SENT:
            return
        key = sha256(name.encode()).hexdigest()
        self._deliver[message.messages](message.id, key, kept["body"]["B"])
        with translated("DynamoDB"):
            self._dynamodb.update_item(**update(self._table, {"id": name}, "SET #state = :sent", {"sent": SENT}))


def to_queue(clients: Clients, queue: str) -> Deliver:
    """To a FIFO queue, each message a group of its own: none waits for another."""
    url = cache(lambda: clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def deliver(id: str, key: str, document: bytes) -> None:
        with translated("SQS"):
            clients.sqs.send_message(
                QueueUrl=url(),
                MessageBody=body(document),
                MessageAttributes={"id": {"DataType": "String", "StringValue": attribute(id)}},
                MessageGroupId=key,
                MessageDeduplicationId=key,
            )

    return deliver


def to_topic(clients: Clients, topic: str) -> Deliver:
    told = Topic(clients.sns, topic, {"FifoTopic": "true", "ContentBasedDeduplication": "false"})
    return lambda id, key, document: told.publish(document, {"id": id}, once=(key, key))
