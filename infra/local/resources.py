"""Creates what the applications need: the stream, the tables, the queues, the topics and the buckets.

Safe to run again and by several programs at once: what exists is left as it is, and waited for. Works against AWS too,
for whoever has no deployed stack.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from clickstream import platform
from clickstream.aws import Clients
from clickstream.consumers.needs import declared, lease_tables
from clickstream.errors import UserMistake
from clickstream.needs import Needs, Queue, Table
from clickstream.settings import DEFAULT_REGION, Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

WAIT_SECONDS = 120
_KEPT_SECONDS = 14 * 24 * 3600


def create(clients: Clients, settings: Settings, *, shards: int = 4) -> None:
    """Everything, ready for use on return. ``shards`` counts for a new stream only; an existing one is never resharded here.

    Raises UserMistake when something did not become ready.
    """
    needed = declared()
    tables = [*platform.TABLES, *(table for needs in needed for table in needs.tables)]
    _stream(clients, settings.stream, shards)
    for table in tables:
        _table(clients, settings, table)
    for queue in (*platform.QUEUES, *(queue for needs in needed for queue in needs.queues)):
        _queue(clients, settings, queue)
    for needs in needed:
        _topics(clients, settings, needs)
    for bucket in (*platform.BUCKETS, *(bucket for needs in needed for bucket in needs.buckets)):
        _bucket(clients, bucket.of(settings), settings.region)
    _wait(clients, settings, tables)


def create_lease_tables(clients: Clients, settings: Settings, application: str) -> None:
    """KCL's tables of an application, as the stacks make them: a worker would make its own, and its role may not."""
    for table in lease_tables(application):
        _table(clients, settings, table)


def _code(error: ClientError) -> str:
    code: str = error.response["Error"]["Code"]
    return code


def _stream(clients: Clients, name: str, shards: int) -> None:
    try:
        clients.kinesis.create_stream(StreamName=name, ShardCount=shards)
    except ClientError as error:
        if _code(error) != "ResourceInUseException":
            raise


def _table(clients: Clients, settings: Settings, table: Table) -> None:
    try:
        clients.dynamodb.create_table(**table.creation(table.of(settings)))
    except ClientError as error:
        if _code(error) != "ResourceInUseException":
            raise


def _queue(clients: Clients, settings: Settings, queue: Queue) -> None:
    attributes: dict[QueueAttributeNameType, str] = {"MessageRetentionPeriod": str(_KEPT_SECONDS)}
    if queue.fifo:
        attributes["FifoQueue"] = "true"
    if queue.visibility_s is not None:
        attributes["VisibilityTimeout"] = str(queue.visibility_s)
    if queue.delay_s is not None:
        attributes["DelaySeconds"] = str(queue.delay_s)
    if queue.dead_letters is not None:
        _queue(clients, settings, queue.dead_letters)
        target = _arn(clients, queue.dead_letters.of(settings))
        attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": queue.receives})
    try:
        clients.sqs.create_queue(QueueName=queue.of(settings), Attributes=attributes)
    except ClientError as error:
        # exists with attributes that somebody chose
        if _code(error) not in {"QueueAlreadyExists", "QueueNameExists"}:
            raise


def _topics(clients: Clients, settings: Settings, needs: Needs) -> None:
    """The topics of an application, and the queues that subscribe to them."""
    for topic in needs.topics:
        fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"} if topic.fifo else {}
        arn = clients.sns.create_topic(Name=topic.of(settings), Attributes=fifo)["TopicArn"]
        for queue in needs.queues:
            if queue.topic == topic:
                _subscribe(clients, queue.of(settings), arn, queue.steps)


def _arn(clients: Clients, queue: str) -> str:
    url = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _subscribe(clients: Clients, queue: str, topic: str, steps: Sequence[str]) -> None:
    """Subscribe a queue to a topic, raw; ``steps`` lets through messages with one of these values of attribute ``step``."""
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
    attributes = {"RawMessageDelivery": "true"} | ({"FilterPolicy": json.dumps({"step": steps})} if steps else {})
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


def _wait(clients: Clients, settings: Settings, tables: Sequence[Table]) -> None:
    try:
        clients.kinesis.get_waiter("stream_exists").wait(
            StreamName=settings.stream, WaiterConfig={"Delay": 1, "MaxAttempts": WAIT_SECONDS}
        )
        for table in tables:
            clients.dynamodb.get_waiter("table_exists").wait(
                TableName=table.of(settings), WaiterConfig={"Delay": 1, "MaxAttempts": WAIT_SECONDS}
            )
    except WaiterError as error:
        raise UserMistake(
            f"the stream and tables named {settings.name}… did not become active: {error}",
            hint="look at their state in the console, or at the log of `clickstream local`",
        ) from error
