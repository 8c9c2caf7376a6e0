"""The model: all streams and subscriptions of one account and region.

The model has no clock: every operation takes the time of its call, so a simulator drives it on virtual time and the server on
the real one. The operations are functions, in :mod:`clickstream.infra.local.kinesis.operations`.
"""

from __future__ import annotations

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model.errors import (
    InvalidArgumentException,
    ProvisionedThroughputExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from clickstream.infra.local.kinesis.model.faults import Faults
from clickstream.infra.local.kinesis.model.journal import Journal, NullJournal
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.model.shards import Shard, index_of
from clickstream.infra.local.kinesis.model.streams import (
    Change,
    Created,
    Deleted,
    Merge,
    Pending,
    Scale,
    Setting,
    Split,
    Stream,
)
from clickstream.infra.local.kinesis.model.subscriptions import Subscription
from clickstream.infra.local.kinesis.model.tokens import TokenSeal
from clickstream.infra.local.kinesis.model.validation import STREAM_ARN_PATTERN, check, name_violation
from clickstream.infra.local.limits import constraints


class Kinesis:
    """Finds streams, and makes the changes that have become due.

    ``now_ms`` is the time of the call; it must not go back by more than clocks do.
    """

    def __init__(
        self, settings: ModelSettings | None = None, journal: Journal | None = None, faults: Faults | None = None
    ) -> None:
        self.settings = settings or ModelSettings()
        self.journal: Journal = journal or NullJournal()
        self.faults = faults or Faults(self.settings.seed)
        self.seal = TokenSeal(self.settings.seed)
        self.streams: dict[str, Stream] = {}
        self.subscriptions: dict[tuple[str, int], Subscription] = {}
        """By consumer ARN and shard index."""
        self.committed_ms: int | None = None
        """Since when the account is committed to a minimum throughput; on-demand streams may be warm then. Not durable."""

    def stream_arn(self, name: str) -> str:
        region = self.settings.region
        return f"arn:{partition_of(region)}:kinesis:{region}:{ACCOUNT}:stream/{name}"

    def find(self, stream: str | None, now_ms: int) -> Stream:
        """The stream in whatever state, with due changes made."""
        if stream is None:
            raise InvalidArgumentException("Either StreamName or StreamARN must be provided.")
        if stream.startswith("arn:"):
            check(constraints.pattern("streamARN", stream, STREAM_ARN_PATTERN))
            name = stream.split("/", 1)[1]
            if self.stream_arn(name) != stream:
                raise ResourceNotFoundException(f"Stream {name} under account {stream.split(':')[4]} not found.")
        else:
            name = stream
        found = self.streams.get(name)
        if found is None or not self.settle(found, now_ms):
            check(name_violation("streamName", name))
            raise not_found(name)
        return found

    def readable(self, stream: str | None, now_ms: int) -> Stream:
        """A stream that takes and gives records: ACTIVE or UPDATING."""
        found = self.find(stream, now_ms)
        if found.state.pending is not None and found.status not in ("ACTIVE", "UPDATING"):
            raise not_found(found.state.name)
        return found

    def idle(self, stream: str | None, now_ms: int) -> Stream:
        """A stream that may be changed: ACTIVE."""
        found = self.find(stream, now_ms)
        if found.status != "ACTIVE":
            raise ResourceInUseException(
                f"Stream {found.state.name} under account {ACCOUNT} not ACTIVE, instead in state {found.status}"
            )
        return found

    def existing(self, now_ms: int) -> list[Stream]:
        """All streams, with due changes made: a deleted stream that no call has named since is gone too."""
        return [stream for stream in list(self.streams.values()) if self.settle(stream, now_ms)]

    def find_shard(self, stream: Stream, shard_id: str | None, now_ms: int) -> Shard:
        """A shard that has not expired."""
        check(name_violation("shardId", shard_id))
        assert shard_id is not None
        self.expire(stream, now_ms)
        index = index_of(shard_id)
        shard = None if index is None else stream.graph.shards.get(index)
        if shard is None:
            raise ResourceNotFoundException(
                f"Shard {shard_id} in stream {stream.state.name} under account {ACCOUNT} does not exist"
            )
        return shard

    def expire(self, stream: Stream, now_ms: int) -> None:
        """Forget shards that closed so long ago that nothing in them is retained."""
        if stream.graph.expire(stream.horizon_ms(now_ms)):
            stream.open_logs()
            self.journal.changed(stream)

    def begin(self, stream: Stream, change: Change, now_ms: int) -> None:
        """Accept a change: it is made after the transition time, which may be none."""
        stream.state.pending = Pending(change, now_ms + self.settings.transition_ms)
        if self.settle(stream, now_ms) and stream.state.pending is not None:
            self.journal.changed(stream)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription: its reader went away, or its time is over."""
        subscription.is_open = False
        key = (subscription.consumer_arn, subscription.shard.index)
        if self.subscriptions.get(key) is subscription:
            del self.subscriptions[key]

    def settle(self, stream: Stream, now_ms: int) -> bool:
        """Make a pending change that is due, as of the time it was due; False when the stream is gone by it."""
        pending = stream.state.pending
        if pending is None or now_ms < pending.ready_ms:
            return True
        stream.state.pending = None
        at_ms = pending.ready_ms
        graph = stream.graph
        match pending.change:
            case Deleted():
                del self.streams[stream.state.name]
                self.journal.removed(stream)
                return False
            case Split(shard_index=index, new_start=new_start):
                graph.split(graph.shards[index], new_start, at_ms)
            case Merge(shard_index=index, adjacent_index=adjacent):
                graph.merge(graph.shards[index], graph.shards[adjacent], at_ms)
            case Scale(count=count):
                graph.scale(count, at_ms)
            case Created() | Setting():
                pass
        stream.open_logs()
        self.journal.changed(stream)
        return True


def partition_of(region: str) -> str:
    """The first part of a region's ARNs."""
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-iso-", "aws-iso"), ("us-isob-", "aws-iso-b")):
        if region.startswith(prefix):
            return partition
    return "aws"


def not_found(name: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"Stream {name} under account {ACCOUNT} not found.")


def rate_exceeded(stream: Stream, shard: Shard) -> ProvisionedThroughputExceededException:
    return ProvisionedThroughputExceededException(
        f"Rate exceeded for shard {shard.shard_id} in stream {stream.state.name} under account {ACCOUNT}."
    )
