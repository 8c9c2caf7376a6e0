"""Tables, buckets, topics and queues as clickstream.needs declares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stages import Writes
from clickstream.needs import Bucket, Queue, Table, Topic
from clickstream.settings import Settings

_KEPT = Duration.days(14)
#: Of a table's units by the hour, per cent.
_USED = 80


class Stores:
    """Makes them in ``stack``, encrypted with ``key``; with RETAIN they cannot be deleted by mistake."""

    def __init__(
        self,
        stack: Stack,
        settings: Settings,
        key: kms.IKey,
        removal: RemovalPolicy,
        writes: Mapping[str, Writes] | None = None,
    ) -> None:
        self._stack, self._settings, self._key, self._removal = stack, settings, key, removal
        self._writes = writes or {}

    def table(self, table: Table) -> None:
        """Paid by request, or by the hour if the stage says so; can be restored to any second."""
        by_the_hour = self._writes.get(table.suffix)
        mode = dynamodb.BillingMode
        made = dynamodb.Table(
            self._stack,
            table.title,
            table_name=table.of(self._settings),
            partition_key=_string(table.key),
            sort_key=None if table.range_key is None else _string(table.range_key),
            time_to_live_attribute=table.expires,
            billing_mode=mode.PAY_PER_REQUEST if by_the_hour is None else mode.PROVISIONED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
            deletion_protection=self._removal == RemovalPolicy.RETAIN,
            removal_policy=self._removal,
        )
        if by_the_hour is not None:
            least, most = by_the_hour.least, by_the_hour.most
            for scale in (made.auto_scale_write_capacity, made.auto_scale_read_capacity):
                scale(min_capacity=least, max_capacity=most).scale_on_utilization(target_utilization_percent=_USED)
        if table.index is not None:
            index, key, range_key = table.index
            made.add_global_secondary_index(
                index_name=index,
                partition_key=_string(key),
                sort_key=_string(range_key),
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )

    def bucket(self, bucket: Bucket, logs: s3.IBucket | None) -> s3.Bucket:
        """``logs`` takes its access logs."""
        days = bucket.expires_days
        old_versions = [s3.LifecycleRule(noncurrent_version_expiration=Duration.days(7))] if bucket.versioned else []
        whole = [s3.LifecycleRule(expiration=Duration.days(days))] if days is not None else []
        name = bucket.of(self._settings)
        return s3.Bucket(
            self._stack,
            bucket.title,
            bucket_name=name,
            # access logs cannot be delivered under a key of ours
            encryption=s3.BucketEncryption.S3_MANAGED if logs is None else s3.BucketEncryption.KMS,
            encryption_key=None if logs is None else self._key,
            bucket_key_enabled=None if logs is None else True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=bucket.versioned,
            lifecycle_rules=[*old_versions, *whole, s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1))],
            server_access_logs_bucket=logs,
            server_access_logs_prefix=None if logs is None else f"{name}/",
            removal_policy=self._removal,
        )

    def queues(self, topics: Sequence[Topic], queues: Sequence[Queue]) -> dict[Queue, sqs.Queue]:
        """The topics and the queues, dead letters included, each topic before its subscribers."""
        made: dict[Queue, sqs.Queue] = {}
        for topic in (None, *topics):
            subscribed = [queue for queue in queues if queue.topic == topic]
            source = None if topic is None else self._topic(topic)
            dead = {queue: self._queue(queue.dead_letters, None) for queue in subscribed if queue.dead_letters is not None}
            for queue in subscribed:
                made[queue] = self._queue(queue, dead.get(queue))
                if queue not in dead:
                    accept(made[queue], "SQS3", queue.read_by)
                if source is not None:
                    steps = {"step": sns.SubscriptionFilter.string_filter(allowlist=list(queue.steps))} if queue.steps else None
                    source.add_subscription(
                        subscriptions.SqsSubscription(made[queue], raw_message_delivery=True, filter_policy=steps)
                    )
        return made

    def _queue(self, queue: Queue, dead_letters: sqs.Queue | None) -> sqs.Queue:
        return sqs.Queue(
            self._stack,
            queue.title,
            queue_name=queue.of(self._settings),
            fifo=queue.fifo or None,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._key,
            enforce_ssl=True,
            retention_period=_KEPT,
            visibility_timeout=_seconds(queue.visibility_s),
            delivery_delay=_seconds(queue.delay_s),
            dead_letter_queue=None
            if dead_letters is None
            else sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=queue.receives),
            removal_policy=self._removal,
        )

    def _topic(self, topic: Topic) -> sns.Topic:
        return sns.Topic(
            self._stack,
            topic.title,
            topic_name=topic.of(self._settings),
            fifo=topic.fifo or None,
            content_based_deduplication=False if topic.fifo else None,
            master_key=self._key,
            enforce_ssl=True,
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _seconds(seconds: int | None) -> Duration | None:
    return None if seconds is None else Duration.seconds(seconds)
