"""Creates what the applications need: the stream, the tables, the queues, the topics and the buckets.

Safe to run again and by several programs at once: what exists is left as it is, and waited for. Works against AWS too,
for whoever has no deployed stack.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from clickstream.aws import Clients
from clickstream.errors import UserMistake
from clickstream.settings import DEFAULT_REGION, ORDER_QUEUES, Settings
from infra.permissions import lease_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef
    from mypy_boto3_sqs.literals import QueueAttributeNameType

WAIT_SECONDS = 120
#: Six times the functions' timeout, as AWS advises for queues before a Lambda function.
ORDER_VISIBILITY_S = 60
#: Queue → the steps of an order (message attribute ``step``) that it is told of; see docs/explanation/orders.md.
ORDER_STEPS = {"placed": ("placed",), "reserved": ("reserved",), "settled": ("confirmed", "rejected", "cancelled")}
_KEPT_SECONDS = 14 * 24 * 3600


def create(clients: Clients, settings: Settings, *, shards: int = 4) -> None:
    """Everything, ready for use on return. ``shards`` counts for a new stream only; an existing one is never resharded here.

    Raises UserMistake when something did not become ready.
    """
    _stream(clients, settings.stream, shards)
    _table(clients, settings.shards_table, "application", "shard")
    _table(clients, settings.aggregates_table, "window", "part")
    _table(clients, settings.recommendations_table, "subject", "part")
    _table(clients, settings.decisions_table, "event_id")
    _table(clients, settings.orders_table, "order_id")
    _table(clients, settings.inventory_table, "product_id")
    _table(clients, settings.order_repeats_table, "id")
    _table(clients, settings.outcomes_table, "window", "part")
    _table(clients, settings.sightings_table, "seen")
    _queue(clients, settings.dead_letter_queue)
    _alerts(clients, settings)
    _orders(clients, settings)
    _bucket(clients, settings.archive_bucket, settings.region)
    _bucket(clients, settings.state_bucket, settings.region)
    _bucket(clients, settings.models_bucket, settings.region)
    _wait(clients, settings)


def create_lease_tables(clients: Clients, settings: Settings, application: str) -> None:
    """KCL's tables of an application, as the stacks make them: a worker would make its own, and its role may not."""
    leases, coordinator, metrics = lease_tables(settings, application)
    _table(clients, leases, "leaseKey")
    _table(clients, coordinator, "key")
    _table(clients, metrics, "wid")


def _code(error: ClientError) -> str:
    code: str = error.response["Error"]["Code"]
    return code


def _stream(clients: Clients, name: str, shards: int) -> None:
    try:
        clients.kinesis.create_stream(StreamName=name, ShardCount=shards)
    except ClientError as error:
        if _code(error) != "ResourceInUseException":
            raise


def _table(clients: Clients, name: str, hash_key: str, range_key: str | None = None) -> None:
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    if range_key is not None:
        schema.append({"AttributeName": range_key, "KeyType": "RANGE"})
    try:
        clients.dynamodb.create_table(
            TableName=name,
            KeySchema=schema,
            AttributeDefinitions=[{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in schema],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as error:
        if _code(error) != "ResourceInUseException":
            raise


def _queue(clients: Clients, name: str, attributes: dict[QueueAttributeNameType, str] | None = None) -> None:
    try:
        clients.sqs.create_queue(
            QueueName=name, Attributes={"MessageRetentionPeriod": str(_KEPT_SECONDS), **(attributes or {})}
        )
    except ClientError as error:
        # exists with attributes that somebody chose
        if _code(error) not in {"QueueAlreadyExists", "QueueNameExists"}:
            raise


def _alerts(clients: Clients, settings: Settings) -> None:
    """The topic that fraud decisions are told to, and a queue that listens to it."""
    _queue(clients, settings.alerts_queue)
    topic = clients.sns.create_topic(Name=settings.alerts_topic)["TopicArn"]
    _listen(clients, settings.alerts_queue, topic)


def _orders(clients: Clients, settings: Settings) -> None:
    """The order workflow: a queue per step behind one topic, each with its dead letters, and what customers are told."""
    topic = clients.sns.create_topic(Name=settings.orders_topic)["TopicArn"]
    for step in ORDER_QUEUES:
        _queue(clients, settings.order_dead_letter_queue(step))
        redrive = {"deadLetterTargetArn": _arn(clients, settings.order_dead_letter_queue(step)), "maxReceiveCount": 5}
        # fraud decides within a second: whoever asks for its decision comes a little later
        delay = 2 if step == "reserved" else 0
        attributes: dict[QueueAttributeNameType, str] = {
            "VisibilityTimeout": str(ORDER_VISIBILITY_S),
            "DelaySeconds": str(delay),
            "RedrivePolicy": json.dumps(redrive),
        }
        _queue(clients, settings.order_queue(step), attributes)
        _listen(clients, settings.order_queue(step), topic, only={"step": list(ORDER_STEPS[step])})
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    told = clients.sns.create_topic(Name=settings.order_notifications_topic, Attributes=fifo)["TopicArn"]
    _queue(clients, settings.order_notifications_queue, {"FifoQueue": "true"})
    _listen(clients, settings.order_notifications_queue, told)


def _arn(clients: Clients, queue: str) -> str:
    url = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _listen(clients: Clients, queue: str, topic: str, only: dict[str, list[str]] | None = None) -> None:
    """Subscribe a queue to a topic, raw; ``only`` lets through messages with one of these values of an attribute."""
    url, arn = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"], _arn(clients, queue)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }
    clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    attributes = {"RawMessageDelivery": "true"} | ({} if only is None else {"FilterPolicy": json.dumps(only)})
    clients.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes, ReturnSubscriptionArn=True)


def _bucket(clients: Clients, name: str, region: str) -> None:
    try:
        if region == DEFAULT_REGION:  # the one region that S3 does not take as a constraint
            clients.s3.create_bucket(Bucket=name)
        else:
            clients.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]  # any region
    except ClientError as error:
        if _code(error) == "BucketAlreadyExists":
            raise UserMistake(
                f"bucket {name} belongs to somebody else", hint="bucket names are global: choose another CLICKSTREAM_NAME"
            ) from error
        if _code(error) != "BucketAlreadyOwnedByYou":
            raise


def _wait(clients: Clients, settings: Settings) -> None:
    tables = (
        settings.shards_table,
        settings.aggregates_table,
        settings.recommendations_table,
        settings.decisions_table,
        settings.orders_table,
        settings.inventory_table,
        settings.order_repeats_table,
        settings.outcomes_table,
        settings.sightings_table,
    )
    try:
        clients.kinesis.get_waiter("stream_exists").wait(
            StreamName=settings.stream, WaiterConfig={"Delay": 1, "MaxAttempts": WAIT_SECONDS}
        )
        for table in tables:
            clients.dynamodb.get_waiter("table_exists").wait(
                TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": WAIT_SECONDS}
            )
    except WaiterError as error:
        raise UserMistake(
            f"the stream and tables named {settings.name}… did not become active: {error}",
            hint="look at their state in the console, or at the log of `clickstream local`",
        ) from error
