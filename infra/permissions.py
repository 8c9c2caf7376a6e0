"""What each program may do on AWS: one :class:`Role` per program, as data.

Every grant in ``seen`` answers calls that were seen: ``tests/infra/recorded/calls.json`` holds what each program called on the
local AWS, and a test compares in both directions. What no local run can show (KMS, CloudWatch, faults) stands in ``unseen``,
each with its reason.

A resource is ``service:tail``; the tail is what follows region and account in an ARN (``dynamodb:table/clickstream-shards``).
"""

from __future__ import annotations

import msgspec

from clickstream.settings import Settings

#: As KCL 3 asks for it; not read while lease assignment is pinned to KCL 2's way.
OWNER_INDEX = "LeaseOwnerToLeaseKeyIndex"

_FANOUT = "KCL registers its consumer and subscribes, where a worker reads by enhanced fan-out"
_NO_MODEL_YET = "else S3 answers 403, not 404, while no model was published"


class Grant(msgspec.Struct, frozen=True):
    """These actions on this one resource."""

    actions: tuple[str, ...]
    """With the service: ``dynamodb:GetItem``."""
    resource: str
    reason: str = ""
    """Why it is needed although no local run shows it; empty for what runs show."""
    conditions: dict[str, dict[str, str]] = {}
    """IAM's conditions, for actions that know no resources."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What one program may do, beyond what ECS or Lambda needs to start it."""

    name: str
    seen: tuple[Grant, ...]
    unseen: tuple[Grant, ...] = ()
    """Each with a ``reason``."""


def _actions(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


def _table(name: str, actions: str, reason: str = "") -> Grant:
    return Grant(_actions("dynamodb", actions), f"dynamodb:table/{name}", reason)


def _stream(settings: Settings, actions: str, reason: str = "") -> Grant:
    return Grant(_actions("kinesis", actions), f"kinesis:stream/{settings.stream}", reason)


def _objects(bucket: str, prefix: str, actions: str, reason: str = "") -> Grant:
    return Grant(_actions("s3", actions), f"s3:{bucket}/{prefix}*", reason)


def _listing(bucket: str, reason: str = "") -> Grant:
    return Grant(("s3:ListBucket",), f"s3:{bucket}", reason)


def _queue(name: str, actions: str, reason: str = "") -> Grant:
    return Grant(_actions("sqs", actions), f"sqs:{name}", reason)


def _topic(name: str, actions: str, reason: str = "") -> Grant:
    return Grant(_actions("sns", actions), f"sns:{name}", reason)


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
            _table(settings.shards_table, "DescribeTable GetItem UpdateItem"),
            _objects(settings.state_bucket, f"{application}/", "GetObject PutObject DeleteObject"),
            _listing(settings.state_bucket),
            _queue(settings.dead_letter_queue, "GetQueueUrl SendMessage"),
            *_sinks(settings, application),
        ),
        unseen=(
            _stream(settings, "DescribeStreamConsumer RegisterStreamConsumer", _FANOUT),
            Grant(
                _actions("kinesis", "DescribeStreamConsumer SubscribeToShard"),
                f"kinesis:stream/{settings.stream}/consumer/{leases}:*",
                _FANOUT,
            ),
            _table(leases, "DeleteItem", "the lease of a closed shard, once its records have expired"),
            _table(coordinator, "Scan UpdateItem DeleteItem", "the leader of KCL 3, once the pin on KCL 2's way is lifted"),
            _table(metrics, "GetItem Scan PutItem UpdateItem DeleteItem", "KCL 3's own lease assignment, as above"),
            _table(f"{leases}/index/{OWNER_INDEX}", "Query", "KCL 3's own lease assignment, as above"),
            _objects(
                settings.state_bucket,
                f"dead-letters/{application}/",
                "PutObject",
                "a record that is no event and too large for a message",
            ),
            Grant(
                ("cloudwatch:PutMetricData",),
                "*",
                "KCL's own metrics, which an embedded AWS is not sent; the action knows no resources",
                {"StringEquals": {"cloudwatch:namespace": leases}},
            ),
            *_unseen_lookups(settings, application),
        ),
    )


def _unseen_lookups(settings: Settings, application: str) -> tuple[Grant, ...]:
    """What only a race or a missing model leads to."""
    grants: dict[str, tuple[Grant, ...]] = {
        "fraud": (_listing(settings.models_bucket, _NO_MODEL_YET),),
        "recommendations": (_listing(settings.models_bucket, _NO_MODEL_YET),),
        "archive": (
            _listing(
                settings.archive_bucket, "else S3 answers 403, not 404, for a file whose write met another one's and failed"
            ),
        ),
    }
    return grants.get(application, ())


def _sinks(settings: Settings, application: str) -> tuple[Grant, ...]:
    """Where an application's answers go, and what it looks up."""
    grants: dict[str, tuple[Grant, ...]] = {
        "analytics": (_table(settings.aggregates_table, "PutItem"),),
        "fraud": (
            _table(settings.decisions_table, "PutItem UpdateItem"),
            _table(settings.outcomes_table, "BatchWriteItem"),
            _table(settings.sightings_table, "BatchGetItem UpdateItem"),
            _table(settings.shards_table, "Query"),
            _topic(settings.alerts_topic, "CreateTopic Publish"),
            _objects(settings.models_bucket, "models/fraud/", "GetObject"),
        ),
        "recommendations": (
            _table(settings.recommendations_table, "GetItem PutItem"),
            _objects(settings.models_bucket, "models/recommender/", "GetObject"),
        ),
        "archive": (_objects(settings.archive_bucket, "date=", "GetObject PutObject"),),
        "orders": (
            _table(settings.orders_table, "PutItem UpdateItem"),
            _topic(settings.orders_topic, "CreateTopic Publish"),
        ),
    }
    return grants[application]


def collector(settings: Settings) -> Role:
    """Puts events on the stream."""
    return Role(name="collector", seen=(_stream(settings, "ListShards PutRecords"),))


def serving(settings: Settings) -> Role:
    """The read API and the dashboard; to explain an event it reads the stream itself."""
    return Role(
        name="serving",
        seen=(
            _stream(settings, "ListShards GetShardIterator GetRecords"),
            _table(settings.aggregates_table, "DescribeTable Query"),
            _table(settings.shards_table, "DescribeTable GetItem Scan"),
            _table(settings.recommendations_table, "BatchGetItem GetItem Query"),
            _table(settings.decisions_table, "GetItem"),
            _table(settings.outcomes_table, "Query"),
            _table(settings.orders_table, "GetItem"),
            _table(settings.inventory_table, "Scan"),
            _objects(settings.models_bucket, "models/recommender/", "GetObject"),
        ),
        unseen=(
            _listing(settings.models_bucket, _NO_MODEL_YET),
            _objects(
                settings.models_bucket, "models/fraud/", "GetObject", "which version serves; newer than the recorded calls"
            ),
        ),
    )


def order_function(settings: Settings, name: str) -> Role:
    """One Lambda function of the order workflow. What Lambda itself needs to read its queue comes with the event source."""
    orders = _table(settings.orders_table, "GetItem UpdateItem")
    decisions = _table(settings.decisions_table, "GetItem")
    inventory = _table(settings.inventory_table, "UpdateItem")
    tells = _topic(settings.orders_topic, "CreateTopic Publish")
    notifies = _topic(settings.order_notifications_topic, "CreateTopic Publish")
    starts = Grant(("states:StartExecution",), f"states:stateMachine:{settings.order_state_machine}")
    repeats = _table(settings.order_repeats_table, "PutItem UpdateItem")
    failed = _table(settings.order_repeats_table, "DeleteItem", "a message whose handling failed must be free to come again")
    gives_back = _table(settings.inventory_table, "UpdateItem", "a cancelled order gives back what it has reserved")
    seen, unseen = {
        "reserve": ((repeats, inventory, orders, tells), (failed,)),
        "confirm": ((repeats, decisions, orders, tells), (failed, gives_back)),
        "notify": ((repeats, orders, notifies), (failed,)),
        "start": ((repeats, starts), (failed,)),
        "task": ((inventory, orders, decisions, notifies), ()),
    }[name]
    return Role(name=f"order-{name}", seen=seen, unseen=unseen)


def autoscaler(settings: Settings) -> Role:
    """The function that splits and merges shards."""
    return Role(
        name="autoscaler",
        seen=(
            _stream(settings, "DescribeStreamSummary ListShards GetShardIterator GetRecords MergeShards"),
            _table(settings.shards_table, "Scan"),
            Grant(("cloudwatch:GetMetricStatistics",), "*"),  # it knows no resources
        ),
        unseen=(_stream(settings, "SplitShard", "only for a shard at its limit"),),
    )


def roles(settings: Settings, applications: tuple[str, ...]) -> list[Role]:
    """Of every program there is, both order workflows' functions included."""
    functions = [order_function(settings, name) for name in ("reserve", "confirm", "notify", "start", "task")]
    others = [collector(settings), serving(settings), autoscaler(settings)]
    return [*(worker(settings, application) for application in applications), *others, *functions]
