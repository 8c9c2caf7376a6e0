"""SubscribeToShard: a consumer's subscriptions and the events that they push."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model import sequence
from clickstream.infra.local.kinesis.model.errors import (
    DryRunOperationException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import ITERATOR_TYPES, ReadRecord, StartingPosition
from clickstream.infra.local.kinesis.model.shards import Shard
from clickstream.infra.local.kinesis.model.subscriptions import Subscription
from clickstream.infra.local.kinesis.model.validation import CONSUMER_ARN_PATTERN, arn_violation, check, name_violation
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.consumers import find_consumer
from clickstream.infra.local.kinesis.operations.positions import at_end, locate, millis_behind, read_records
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import MAX_GET_RECORDS, SUBSCRIPTION_TAKEOVER_MS
from clickstream.infra.local.limits.units import MIB

MAX_EVENT_BYTES = 1 * MIB


class FanoutEvent(msgspec.Struct, frozen=True):
    """What SubscribeToShard pushes to its consumer."""

    records: list[ReadRecord]
    continuation_sequence_number: str | None
    """None only at the end of a closed shard."""
    millis_behind_latest: int
    child_shards: list[Shard]


@operation
def subscribe_to_shard(
    kinesis: Kinesis,
    consumer_arn: str | None,
    shard_id: str | None,
    position: StartingPosition,
    now_ms: int,
    *,
    dry_run: bool = False,
) -> Subscription:
    """Open a subscription, and end an earlier one of the same consumer and shard if that is five seconds old."""
    check(
        arn_violation("consumerARN", consumer_arn, CONSUMER_ARN_PATTERN),
        name_violation("shardId", shard_id),
        constraints.one_of("startingPosition.type", position.type, ITERATOR_TYPES),
    )
    found, consumer = find_consumer(kinesis, None, None, consumer_arn, now_ms)
    if consumer.status(now_ms) != "ACTIVE":
        raise ResourceInUseException(f"Consumer {consumer.arn} is not ACTIVE, instead in state {consumer.status(now_ms)}.")
    found = kinesis.readable(found.state.name, now_ms)
    shard = kinesis.find_shard(found, shard_id, now_ms)
    key = (consumer.arn, shard.index)
    earlier = kinesis.subscriptions.get(key)
    if earlier is not None and earlier.is_open and now_ms - earlier.started_ms < SUBSCRIPTION_TAKEOVER_MS:
        raise ResourceInUseException(
            "Another active subscription exists for this consumer: "
            f"{ACCOUNT}:{found.state.name}:{shard.shard_id}:{consumer.name}"
        )
    counter = locate(kinesis, found, shard, position, now_ms)
    if dry_run:
        raise DryRunOperationException
    subscription = Subscription(consumer.arn, found, shard, counter, now_ms)
    if earlier is not None:
        earlier.is_open = False
    kinesis.subscriptions[key] = subscription
    return subscription


def next_event(kinesis: Kinesis, subscription: Subscription, now_ms: int) -> FanoutEvent:
    """What there is to push now; without records it is a heartbeat. At the end of a closed shard the subscription closes.

    With limits enforced it is also empty while the 2 MB/s of the subscription are used up.
    """
    stream, shard = subscription.stream, subscription.shard
    if kinesis.streams.get(stream.state.name) is not stream or not kinesis.settle(stream, now_ms):
        kinesis.unsubscribe(subscription)
        raise ResourceNotFoundException(f"Stream {stream.state.name} under account {ACCOUNT} not found.")
    log = stream.logs[shard.index]
    raw = []
    if not kinesis.settings.enforce_limits or subscription.meter.holds(1, now_ms):
        raw = log.read(subscription.counter, MAX_GET_RECORDS, MAX_EVENT_BYTES)
        subscription.meter.take(sum(record.size for record in raw))
    if raw:
        subscription.counter = raw[-1].counter + 1
    ended = at_end(stream, shard, subscription.counter)
    if ended:
        kinesis.unsubscribe(subscription)
    last = subscription.counter - 1
    arrival_ms = raw[-1].arrival_ms if raw else shard.created_ms
    return FanoutEvent(
        read_records(shard, raw),
        None if ended else sequence.render(shard.prefix, last, arrival_ms),
        millis_behind(stream, shard, subscription.counter, now_ms),
        [stream.graph.shards[child] for child in shard.children] if ended else [],
    )


def has_news(kinesis: Kinesis, subscription: Subscription) -> bool:
    """Whether :func:`next_event` would carry more than a heartbeat does (limits aside)."""
    stream, shard = subscription.stream, subscription.shard
    log = stream.logs.get(shard.index)
    if log is None or kinesis.streams.get(stream.state.name) is not stream:
        return True
    return log.peek(subscription.counter) is not None or at_end(stream, shard, subscription.counter)
