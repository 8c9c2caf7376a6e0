"""Enhanced fan-out: registered consumers and their subscriptions."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from infra.local.kinesis import sequence, validation
from infra.local.kinesis.errors import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from infra.local.kinesis.limits import (
    FANOUT_BYTES_PER_S,
    MAX_CONSUMERS,
    MAX_GET_RECORDS,
    MIB,
    SUBSCRIPTION_LIFE_MS,
    SUBSCRIPTION_TAKEOVER_MS,
    Bucket,
)
from infra.local.kinesis.record_operations import RecordOperations, millis_behind, read_records, would_succeed
from infra.local.kinesis.records import ITERATOR_TYPES, ReadRecord, StartingPosition
from infra.local.kinesis.registry import ACCOUNT_ID, Journal, ModelSettings, operation
from infra.local.kinesis.shards import Shard
from infra.local.kinesis.stream_operations import StreamOperations
from infra.local.kinesis.streams import Consumer, Stream
from infra.local.kinesis.tokens import ListingToken

MAX_EVENT_BYTES = 1 * MIB


class ConsumerPage(msgspec.Struct, frozen=True):
    """Consumers in the order of their names."""

    consumers: list[Consumer]
    next_token: str | None


class FanoutEvent(msgspec.Struct, frozen=True):
    """What SubscribeToShard pushes."""

    records: list[ReadRecord]
    continuation_sequence_number: str | None
    """None only at the end of a closed shard."""
    millis_behind_latest: int
    child_shards: list[Shard]


class Subscription:
    """One consumer's push from one shard: five minutes, or until another takes it over."""

    def __init__(self, consumer_arn: str, stream: Stream, shard: Shard, counter: int, now_ms: int) -> None:
        self.consumer_arn = consumer_arn
        self.stream = stream
        self.shard = shard
        self.counter = counter
        self.started_ms = now_ms
        self.expires_ms = now_ms + SUBSCRIPTION_LIFE_MS
        self.is_open = True
        """False once it was taken over, unsubscribed, or has reached the end of its shard."""
        self.meter = Bucket(FANOUT_BYTES_PER_S, now_ms)


class ConsumerOperations(StreamOperations, RecordOperations):
    """Consumers and subscriptions."""

    def __init__(self, settings: ModelSettings | None = None, journal: Journal | None = None) -> None:
        super().__init__(settings, journal)
        self._subscriptions: dict[tuple[str, int], Subscription] = {}

    @operation("RegisterStreamConsumer")
    def register_consumer(
        self, stream_arn: str | None, name: str | None, now_ms: int, tags: Mapping[str, str] | None = None
    ) -> Consumer:
        validation.check(validation.arn("streamARN", stream_arn), validation.name("consumerName", name))
        assert name is not None
        found = self.idle(stream_arn, now_ms)
        consumers = self._consumers(found, now_ms)
        if name in consumers:
            raise ResourceInUseException(
                f"Consumer {name} under stream {found.state.name} already exists for account {ACCOUNT_ID}."
            )
        if len(consumers) >= MAX_CONSUMERS:
            raise LimitExceededException(
                f"Stream {found.state.name} under account {ACCOUNT_ID} has the maximum of {MAX_CONSUMERS} consumers."
            )
        self.check_tags({}, tags)
        consumer = Consumer(
            name=name,
            arn=f"{found.state.arn}/consumer/{name}:{now_ms // 1000}",
            created_ms=now_ms,
            active_from_ms=now_ms + self.settings.transition_ms,
        )
        consumers[name] = consumer
        if tags:
            found.state.consumer_tags[consumer.arn] = dict(tags)
        self.journal.changed(found)
        return consumer

    @operation("DeregisterStreamConsumer")
    def deregister_consumer(
        self, now_ms: int, *, stream_arn: str | None = None, name: str | None = None, consumer_arn: str | None = None
    ) -> None:
        found, consumer = self._find_consumer(stream_arn, name, consumer_arn, now_ms)
        consumer.gone_from_ms = now_ms + self.settings.transition_ms
        for (arn, _), subscription in list(self._subscriptions.items()):
            if arn == consumer.arn:
                self.unsubscribe(subscription)
        self._consumers(found, now_ms)
        self.journal.changed(found)

    @operation("DescribeStreamConsumer")
    def describe_consumer(
        self, now_ms: int, *, stream_arn: str | None = None, name: str | None = None, consumer_arn: str | None = None
    ) -> tuple[Stream, Consumer]:
        return self._find_consumer(stream_arn, name, consumer_arn, now_ms)

    @operation("ListStreamConsumers")
    def list_consumers(
        self,
        stream_arn: str | None,
        now_ms: int,
        *,
        max_results: int | None = None,
        next_token: str | None = None,
        stream_creation_ms: int | None = None,
    ) -> ConsumerPage:
        """A page of up to ``max_results`` (default 100) consumers."""
        validation.check(validation.arn("streamARN", stream_arn), validation.between("maxResults", max_results, 1, 10_000))
        found = self.find(stream_arn, now_ms)
        self.check_creation(found, stream_creation_ms)
        after = self.open_listing_token("ListStreamConsumers", next_token, now_ms).after if next_token is not None else ""
        consumers = [one for name, one in sorted(self._consumers(found, now_ms).items()) if name > after]
        page = consumers[: max_results or 100]
        more = None
        if len(page) < len(consumers):
            more = self.seal.seal(ListingToken("ListStreamConsumers", found.state.name, page[-1].name, now_ms))
        return ConsumerPage(page, more)

    @operation("SubscribeToShard")
    def subscribe(
        self,
        consumer_arn: str | None,
        shard_id: str | None,
        position: StartingPosition,
        now_ms: int,
        *,
        dry_run: bool = False,
    ) -> Subscription:
        """Open a subscription, and end an earlier one of the same consumer and shard if that is five seconds old."""
        validation.check(
            validation.arn("consumerARN", consumer_arn, validation.CONSUMER_ARN_PATTERN),
            validation.name("shardId", shard_id),
            validation.one_of("startingPosition.type", position.type, ITERATOR_TYPES),
        )
        found, consumer = self._find_consumer(None, None, consumer_arn, now_ms)
        if consumer.status(now_ms) != "ACTIVE":
            raise ResourceInUseException(f"Consumer {consumer.arn} is not ACTIVE, instead in state {consumer.status(now_ms)}.")
        found = self.readable(found.state.name, now_ms)
        shard = self.find_shard(found, shard_id, now_ms)
        key = (consumer.arn, shard.index)
        earlier = self._subscriptions.get(key)
        if earlier is not None and earlier.is_open and now_ms - earlier.started_ms < SUBSCRIPTION_TAKEOVER_MS:
            raise ResourceInUseException(
                "Another active subscription exists for this consumer: "
                f"{ACCOUNT_ID}:{found.state.name}:{shard.shard_id}:{consumer.name}"
            )
        counter = self.locate(found, shard, position, now_ms)
        if dry_run:
            raise would_succeed()
        subscription = Subscription(consumer.arn, found, shard, counter, now_ms)
        if earlier is not None:
            earlier.is_open = False
        self._subscriptions[key] = subscription
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """The reader went away, or its time is over."""
        subscription.is_open = False
        key = (subscription.consumer_arn, subscription.shard.index)
        if self._subscriptions.get(key) is subscription:
            del self._subscriptions[key]

    def next_event(self, subscription: Subscription, now_ms: int) -> FanoutEvent:
        """What there is to push now; without records it is a heartbeat. At the end of a closed shard the subscription closes.

        With limits enforced it is also empty while the 2 MB/s of the subscription are used up.
        """
        stream, shard = subscription.stream, subscription.shard
        if self.streams.get(stream.state.name) is not stream or not self._settle(stream, now_ms):
            self.unsubscribe(subscription)
            raise ResourceNotFoundException(f"Stream {stream.state.name} under account {ACCOUNT_ID} not found.")
        log = stream.logs[shard.index]
        raw = []
        if not self.settings.enforce_limits or subscription.meter.holds(1, now_ms):
            raw = log.read(subscription.counter, MAX_GET_RECORDS, MAX_EVENT_BYTES)
            subscription.meter.take(sum(record.size for record in raw))
        if raw:
            subscription.counter = raw[-1].counter + 1
        ended = self.at_end(stream, shard, subscription.counter)
        if ended:
            self.unsubscribe(subscription)
        last = subscription.counter - 1
        arrival_ms = raw[-1].arrival_ms if raw else shard.created_ms
        return FanoutEvent(
            read_records(shard, raw),
            None if ended else sequence.render(shard.prefix, last, arrival_ms),
            millis_behind(stream, shard, subscription.counter, now_ms),
            [stream.graph.shards[child] for child in shard.children] if ended else [],
        )

    def has_news(self, subscription: Subscription) -> bool:
        """Whether :meth:`next_event` would say more than a heartbeat does (limits aside)."""
        stream, shard = subscription.stream, subscription.shard
        log = stream.logs.get(shard.index)
        if log is None or self.streams.get(stream.state.name) is not stream:
            return True
        return log.peek(subscription.counter) is not None or self.at_end(stream, shard, subscription.counter)

    def _find_consumer(
        self, stream_arn: str | None, name: str | None, consumer_arn: str | None, now_ms: int
    ) -> tuple[Stream, Consumer]:
        if consumer_arn is not None:
            validation.check(validation.pattern("consumerARN", consumer_arn, validation.CONSUMER_ARN_PATTERN))
            of_stream, _, rest = consumer_arn.partition("/consumer/")
            of_name = rest.rpartition(":")[0]
            if stream_arn not in (None, of_stream) or name not in (None, of_name):
                raise InvalidArgumentException("ConsumerARN names another consumer than StreamARN and ConsumerName.")
            stream_arn, name = of_stream, of_name
        if stream_arn is None or name is None:
            raise InvalidArgumentException("Either ConsumerARN, or StreamARN and ConsumerName must be provided.")
        found = self.find(stream_arn, now_ms)
        consumer = self._consumers(found, now_ms).get(name)
        if consumer is None or consumer_arn not in (None, consumer.arn):
            raise ResourceNotFoundException(
                f"Consumer {name} under stream {found.state.name} not found for account {ACCOUNT_ID}."
            )
        return found, consumer

    def _consumers(self, stream: Stream, now_ms: int) -> dict[str, Consumer]:
        consumers = stream.state.consumers
        for name, consumer in list(consumers.items()):
            if consumer.gone_from_ms is not None and now_ms >= consumer.gone_from_ms:
                del consumers[name]
                stream.state.consumer_tags.pop(consumer.arn, None)
        return consumers
