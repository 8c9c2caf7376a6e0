"""What each program may do on AWS: one :class:`Role` per program, as data.

Every grant here answers calls that were seen: ``tests/infra/recorded/calls.json`` holds what each program called on the local
AWS, and a test compares in both directions. What no local run can show (KMS, CloudWatch) stands in ``unseen``, each with its reason.

A resource is ``service:tail``, where the tail is what follows region and account in an ARN (``dynamodb:table/clickstream-shards``).
"""

from __future__ import annotations

import msgspec

from clickstream.settings import Settings


class Grant(msgspec.Struct, frozen=True):
    """These actions on this one resource."""

    actions: tuple[str, ...]
    """With the service: ``dynamodb:GetItem``."""
    resource: str
    reason: str = ""
    """Why it is needed although no local run shows it; empty for what runs show."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What one program may do, beyond what ECS needs to start it."""

    name: str
    seen: tuple[Grant, ...]
    unseen: tuple[Grant, ...] = ()
    """Each with a ``reason``."""
    decrypts: bool = True
    """Whether what it touches is encrypted with the platform's key: then it needs the key, too."""


def _actions(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


def _table(name: str, actions: str) -> Grant:
    return Grant(_actions("dynamodb", actions), f"dynamodb:table/{name}")


def _stream(settings: Settings, actions: str) -> Grant:
    return Grant(_actions("kinesis", actions), f"kinesis:stream/{settings.stream}")


def lease_tables(settings: Settings, application: str) -> tuple[str, str, str]:
    """KCL 3's tables of an application: leases, coordination, the workers' metrics."""
    name = settings.application(application)
    return name, f"{name}-CoordinatorState", f"{name}-WorkerMetricStats"


def worker(settings: Settings, application: str) -> Role:
    """A KCL worker: the JVM and the shard processes share one role, since they share one container."""
    leases, coordinator, metrics = lease_tables(settings, application)
    return Role(
        name=application,
        seen=(
            _stream(settings, "DescribeStreamSummary ListShards GetShardIterator GetRecords"),
            _table(leases, "DescribeTable Scan GetItem PutItem UpdateItem"),
            _table(coordinator, "DescribeTable GetItem PutItem"),
            _table(metrics, "DescribeTable"),
            _table(settings.shards_table, "DescribeTable GetItem UpdateItem Query"),
            Grant(("s3:GetObject", "s3:PutObject"), f"s3:{settings.state_bucket}/{application}/*"),
            *_sinks(settings, application),
        ),
        unseen=(
            Grant(
                ("sqs:GetQueueUrl", "sqs:SendMessage"),
                f"sqs:{settings.dead_letter_queue}",
                "only for a record that is no event",
            ),
        ),
    )


def _sinks(settings: Settings, application: str) -> tuple[Grant, ...]:
    """Where an application's answers go."""
    return ()
