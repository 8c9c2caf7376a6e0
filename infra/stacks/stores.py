"""Tables, buckets, topics and queues: everything but the stream that holds data.

Tables are made here and not by the workers, whose roles may then read and write items but never make or drop a table. What KCL
would make by itself is made as KCL makes it, the index on the leases' owners included.
"""

from __future__ import annotations

from aws_cdk import Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from clickstream.settings import Settings
from infra.permissions import OWNER_INDEX, lease_tables
from infra.stacks.parts.exceptions import accept

_STRING = dynamodb.AttributeType.STRING
_KEPT = Duration.days(14)


def table(
    scope: Construct,
    title: str,
    name: str,
    hash_key: str,
    range_key: str | None = None,
    *,
    expires: str | None = None,
    removal: RemovalPolicy,
) -> dynamodb.Table:
    """A table that is paid by request, can be restored to any second, and with RETAIN cannot be deleted by mistake."""
    return dynamodb.Table(
        scope,
        title,
        table_name=name,
        partition_key=dynamodb.Attribute(name=hash_key, type=_STRING),
        sort_key=None if range_key is None else dynamodb.Attribute(name=range_key, type=_STRING),
        time_to_live_attribute=expires,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
        deletion_protection=removal == RemovalPolicy.RETAIN,
        removal_policy=removal,
    )


class StoresStack(Stack):
    """``dead_letters`` and ``alerts``; everything else goes by its name."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        settings: Settings,
        applications: tuple[str, ...],
        key: kms.IKey,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name, env=env)
        self._key, self._removal = key, removal
        table(self, "Shards", settings.shards_table, "application", "shard", removal=removal)
        table(self, "Aggregates", settings.aggregates_table, "window", "part", expires="expires_at", removal=removal)
        table(self, "Offers", settings.recommendations_table, "subject", "part", expires="expires_at", removal=removal)
        table(self, "Decisions", settings.decisions_table, "event_id", expires="expires_at", removal=removal)
        table(self, "Outcomes", settings.outcomes_table, "window", "part", expires="expires_at", removal=removal)
        table(self, "Sightings", settings.sightings_table, "seen", expires="expires_at", removal=removal)
        for application in applications:
            self._lease_tables(settings, application)
        self._logs = self._bucket("AccessLogs", f"{settings.name}-access-logs", kept=Duration.days(90))
        self._bucket("State", settings.state_bucket, versioned=True, logs=self._logs)
        self._bucket("Models", settings.models_bucket, versioned=True, logs=self._logs)
        self._bucket("Archive", settings.archive_bucket, logs=self._logs)
        # the name that the catalogue's workgroup writes its results to
        self._bucket("Results", f"{settings.archive_bucket}-results", kept=Duration.days(7), logs=self._logs)
        self.dead_letters = self._queue("DeadLetters", settings.dead_letter_queue)
        self.alerts = sns.Topic(self, "Alerts", topic_name=settings.alerts_topic, master_key=key, enforce_ssl=True)
        self.alerts.add_subscription(
            subscriptions.SqsSubscription(self._queue("AlertsQueue", settings.alerts_queue), raw_message_delivery=True)
        )

    def _lease_tables(self, settings: Settings, application: str) -> None:
        leases, coordinator, metrics = lease_tables(settings, application)
        title = application.capitalize()
        made = table(self, f"{title}Leases", leases, "leaseKey", removal=self._removal)
        made.add_global_secondary_index(
            index_name=OWNER_INDEX,
            partition_key=dynamodb.Attribute(name="leaseOwner", type=_STRING),
            sort_key=dynamodb.Attribute(name="leaseKey", type=_STRING),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        table(self, f"{title}Coordinator", coordinator, "key", removal=self._removal)
        table(self, f"{title}WorkerMetrics", metrics, "wid", removal=self._removal)

    def _bucket(
        self, title: str, name: str, *, versioned: bool = False, kept: Duration | None = None, logs: s3.IBucket | None = None
    ) -> s3.Bucket:
        old_versions = [s3.LifecycleRule(noncurrent_version_expiration=Duration.days(7))] if versioned else []
        whole = [s3.LifecycleRule(expiration=kept)] if kept is not None else []
        return s3.Bucket(
            self,
            title,
            bucket_name=name,
            # access logs cannot be delivered under a key of ours
            encryption=s3.BucketEncryption.S3_MANAGED if logs is None else s3.BucketEncryption.KMS,
            encryption_key=None if logs is None else self._key,
            bucket_key_enabled=None if logs is None else True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=versioned,
            lifecycle_rules=[*old_versions, *whole, s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1))],
            server_access_logs_bucket=logs,
            server_access_logs_prefix=None if logs is None else f"{name}/",
            removal_policy=self._removal,
        )

    def _queue(self, title: str, name: str) -> sqs.Queue:
        made = sqs.Queue(
            self,
            title,
            queue_name=name,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._key,
            enforce_ssl=True,
            retention_period=_KEPT,
            removal_policy=self._removal,
        )
        accept(made, "SQS3", "where messages end: what waits here waits for a person")
        return made
