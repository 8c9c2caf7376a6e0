"""What each program may do on AWS: one :class:`Role` per program, as data.

What an application's own programs may do beyond that stands in its ``needs``. Every grant in ``seen`` answers calls that were
seen: ``tests/infra/recorded/calls.json`` holds what each program called on the local AWS, and a test compares in both
directions. What no local run can show (KMS, CloudWatch, faults) stands in ``unseen``, each with its reason.
"""

from __future__ import annotations

import msgspec

from clickstream.consumers.needs import OWNER_INDEX, applications, declared, lease_tables
from clickstream.needs import DEPLOYMENT, Function, Grant
from clickstream.platform import DEAD_LETTERS, SHARDS, STATE
from clickstream.settings import Settings

_FANOUT = "KCL registers its consumer and subscribes, where a worker reads by enhanced fan-out"
_BY_KCL = "KCL 3's own lease assignment, once the pin on KCL 2's way is lifted"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What one program may do, beyond what ECS or Lambda needs to start it."""

    name: str
    seen: tuple[Grant, ...]
    unseen: tuple[Grant, ...] = ()
    """Each with a ``reason``."""

    def of(self, settings: Settings) -> Role:
        """The role of one deployment."""
        seen, unseen = (tuple(grant.of(settings) for grant in grants) for grants in (self.seen, self.unseen))
        return Role(name=self.name, seen=seen, unseen=unseen)


def _stream(actions: str, reason: str = "", part: str = "") -> Grant:
    return Grant(tuple(f"kinesis:{action}" for action in actions.split()), f"kinesis:stream/{DEPLOYMENT}{part}", reason)


def worker(settings: Settings, application: str) -> Role:
    """A KCL worker: the JVM and the shard processes share one role, since they share one container."""
    leases, coordinator, metrics = lease_tables(application)
    own = applications()[application].worker
    return Role(
        name=application,
        seen=(
            _stream("DescribeStreamSummary ListShards GetShardIterator GetRecords"),
            leases.may("DescribeTable Scan GetItem PutItem UpdateItem"),
            coordinator.may("DescribeTable GetItem PutItem"),
            metrics.may("DescribeTable"),
            SHARDS.may("DescribeTable GetItem UpdateItem"),
            STATE.objects(f"{application}/", "GetObject PutObject DeleteObject"),
            STATE.may("ListBucket"),
            DEAD_LETTERS.may("GetQueueUrl SendMessage"),
            *own.seen,
        ),
        unseen=(
            _stream("DescribeStreamConsumer RegisterStreamConsumer", _FANOUT),
            _stream("DescribeStreamConsumer SubscribeToShard", _FANOUT, f"/consumer/{DEPLOYMENT}-{application}:*"),
            leases.may("DeleteItem", "the lease of a closed shard, once its records have expired"),
            coordinator.may("Scan UpdateItem DeleteItem", "the leader of KCL 3, once the pin on KCL 2's way is lifted"),
            metrics.may("GetItem Scan PutItem UpdateItem DeleteItem", _BY_KCL),
            leases.may("Query", _BY_KCL, part=f"/index/{OWNER_INDEX}"),
            STATE.objects(f"dead-letters/{application}/", "PutObject", "a record that is no event and too large for a message"),
            Grant(
                ("cloudwatch:PutMetricData",),
                "*",
                "KCL's own metrics, which an embedded AWS is not sent; the action knows no resources",
                {"StringEquals": {"cloudwatch:namespace": f"{DEPLOYMENT}-{application}"}},
            ),
            *own.unseen,
        ),
    ).of(settings)


def collector(settings: Settings) -> Role:
    """Puts events on the stream."""
    return Role(name="collector", seen=(_stream("ListShards PutRecords"),)).of(settings)


def serving(settings: Settings) -> Role:
    """The read API and the dashboard; to explain an event it reads the stream itself.

    Of dead letters it may look at some, and neither delete one nor put it back.
    """
    own = [needs.serving for needs in declared()]
    return Role(
        name="serving",
        seen=(
            _stream("ListShards GetShardIterator GetRecords"),
            SHARDS.may("DescribeTable GetItem Scan"),
            DEAD_LETTERS.may("GetQueueAttributes GetQueueUrl ReceiveMessage"),
            *(grant for access in own for grant in access.seen),
        ),
        unseen=tuple(grant for access in own for grant in access.unseen),
    ).of(settings)


def function(settings: Settings, function: Function) -> Role:
    """One Lambda function. What Lambda itself needs to read its queue comes with the event source."""
    return Role(name=function.name, seen=function.access.seen, unseen=function.access.unseen).of(settings)


def autoscaler(settings: Settings) -> Role:
    """The function that splits and merges shards."""
    return Role(
        name="autoscaler",
        seen=(
            _stream("DescribeStreamSummary ListShards GetShardIterator GetRecords MergeShards"),
            SHARDS.may("Scan"),
            Grant(("cloudwatch:GetMetricStatistics",), "*"),  # it knows no resources
        ),
        unseen=(_stream("SplitShard", "only for a shard at its limit"),),
    ).of(settings)


def roles(settings: Settings) -> list[Role]:
    """Of every program there is, both order workflows' functions included."""
    functions = [function(settings, each) for needs in declared() for each in needs.functions]
    workers = [worker(settings, application) for application in applications()]
    return [*workers, collector(settings), serving(settings), autoscaler(settings), *functions]
