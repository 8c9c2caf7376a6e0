"""Consumers and subscriptions on the model."""

from __future__ import annotations

import pytest

from clickstream.infra.local.kinesis.model.errors import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry, StartingPosition
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.model.subscriptions import Subscription
from clickstream.infra.local.kinesis.operations.consumers import (
    deregister_stream_consumer,
    describe_stream_consumer,
    register_stream_consumer,
)
from clickstream.infra.local.kinesis.operations.resharding import split_shard
from clickstream.infra.local.kinesis.operations.streams import create_stream, delete_stream
from clickstream.infra.local.kinesis.operations.subscriptions import has_news, next_event, subscribe_to_shard
from clickstream.infra.local.kinesis.operations.writing import put_record

FIRST = "shardId-000000000000"
QUARTER = str(2**126)


def subscribe(kinesis: Kinesis, now: int, kind: str = "TRIM_HORIZON", number: str | None = None) -> Subscription:
    arn = kinesis.stream_arn("clicks")
    try:
        _, consumer = describe_stream_consumer(kinesis, now, stream_arn=arn, name="app")
    except ResourceNotFoundException:
        consumer = register_stream_consumer(kinesis, arn, "app", now)
    return subscribe_to_shard(kinesis, consumer.arn, FIRST, StartingPosition(kind, number), now)


def put(kinesis: Kinesis, now: int, data: bytes) -> None:
    put_record(kinesis, "clicks", PutEntry("k", data, "0"), now)


def test_pushes_what_is_there_then_what_comes(kinesis: Kinesis, now: int) -> None:
    put(kinesis, now, b"a")
    subscription = subscribe(kinesis, now)
    assert has_news(kinesis, subscription)
    event = next_event(kinesis, subscription, now + 5)
    assert [record.data for record in event.records] == [b"a"]
    assert not has_news(kinesis, subscription)
    assert next_event(kinesis, subscription, now + 5).records == []
    put(kinesis, now + 6, b"b")
    assert has_news(kinesis, subscription)


def test_goes_on_after_the_continuation_sequence_number(kinesis: Kinesis, now: int) -> None:
    subscription = subscribe(kinesis, now)
    for text in (b"a", b"b"):
        put(kinesis, now, text)
        event = next_event(kinesis, subscription, now)
        assert [record.data for record in event.records] == [text]
    heartbeat = next_event(kinesis, subscription, now)
    put(kinesis, now, b"c")
    again = subscribe(kinesis, now + 5000, "AFTER_SEQUENCE_NUMBER", heartbeat.continuation_sequence_number)
    assert [record.data for record in next_event(kinesis, again, now + 5000).records] == [b"c"]


def test_an_empty_shard_has_a_continuation_too(kinesis: Kinesis, now: int) -> None:
    heartbeat = next_event(kinesis, subscribe(kinesis, now), now)
    put(kinesis, now, b"a")
    again = subscribe(kinesis, now + 5000, "AFTER_SEQUENCE_NUMBER", heartbeat.continuation_sequence_number)
    assert [record.data for record in next_event(kinesis, again, now + 5000).records] == [b"a"]


def test_a_closed_shard_ends_with_children_and_no_continuation(kinesis: Kinesis, now: int) -> None:
    subscription = subscribe(kinesis, now)
    put(kinesis, now, b"a")
    split_shard(kinesis, "clicks", FIRST, QUARTER, now)
    event = next_event(kinesis, subscription, now)
    assert [record.data for record in event.records] == [b"a"]
    assert event.continuation_sequence_number is None
    assert [child.index for child in event.child_shards] == [2, 3]
    assert not subscription.is_open


def test_a_second_subscription_waits_five_seconds_then_takes_over(kinesis: Kinesis, now: int) -> None:
    first = subscribe(kinesis, now)
    with pytest.raises(ResourceInUseException, match="Another active subscription"):
        subscribe(kinesis, now + 4999)
    second = subscribe(kinesis, now + 5000)
    assert not first.is_open
    assert second.is_open
    kinesis.unsubscribe(first)  # its reader hears of it late
    with pytest.raises(ResourceInUseException):
        subscribe(kinesis, now + 5001)


def test_a_reader_that_went_away_may_come_back_at_once(kinesis: Kinesis, now: int) -> None:
    kinesis.unsubscribe(subscribe(kinesis, now))
    assert subscribe(kinesis, now + 1).is_open


def test_with_limits_a_subscription_gets_two_megabytes_a_second(now: int) -> None:
    kinesis = Kinesis(ModelSettings(enforce_limits=True))
    create_stream(kinesis, "clicks", now, shard_count=1)
    for second in range(8):
        put(kinesis, now + 1000 * second, bytes(1_000_000))
    at = now + 10_000
    subscription = subscribe(kinesis, at)
    received = sum(len(next_event(kinesis, subscription, at + 10 * tick).records) for tick in range(100))
    assert 3 <= received <= 5


def test_deregistering_ends_subscriptions(kinesis: Kinesis, now: int) -> None:
    subscription = subscribe(kinesis, now)
    deregister_stream_consumer(kinesis, now, consumer_arn=subscription.consumer_arn)
    assert not subscription.is_open
    with pytest.raises(ResourceNotFoundException):
        subscribe_to_shard(kinesis, subscription.consumer_arn, FIRST, StartingPosition("LATEST"), now)


def test_a_deleted_stream_ends_subscriptions_with_an_error(kinesis: Kinesis, now: int) -> None:
    subscription = subscribe(kinesis, now)
    delete_stream(kinesis, "clicks", now, enforce_consumer_deletion=True)
    assert has_news(kinesis, subscription)
    with pytest.raises(ResourceNotFoundException):
        next_event(kinesis, subscription, now)


def test_consumer_refusals(kinesis: Kinesis, now: int) -> None:
    arn = kinesis.stream_arn("clicks")
    register_stream_consumer(kinesis, arn, "app", now)
    with pytest.raises(ResourceInUseException):
        register_stream_consumer(kinesis, arn, "app", now)
    with pytest.raises(ValidationException):
        register_stream_consumer(kinesis, arn, "no spaces", now)
    with pytest.raises(ResourceNotFoundException):
        describe_stream_consumer(kinesis, now, stream_arn=arn, name="other")
    with pytest.raises(InvalidArgumentException):
        describe_stream_consumer(kinesis, now)
    with pytest.raises(ResourceInUseException, match="consumers"):
        delete_stream(kinesis, "clicks", now)
    for number in range(19):
        register_stream_consumer(kinesis, arn, f"app-{number}", now)
    with pytest.raises(LimitExceededException):
        register_stream_consumer(kinesis, arn, "one-too-many", now)


def test_a_consumer_is_creating_then_active_then_deleting(now: int) -> None:
    kinesis = Kinesis(ModelSettings(transition_ms=1000))
    create_stream(kinesis, "clicks", now, shard_count=1)
    ready = now + 1000
    consumer = register_stream_consumer(kinesis, kinesis.stream_arn("clicks"), "app", ready)
    with pytest.raises(ResourceInUseException, match="CREATING"):
        subscribe_to_shard(kinesis, consumer.arn, FIRST, StartingPosition("LATEST"), ready)
    assert consumer.status(ready + 1000) == "ACTIVE"
    deregister_stream_consumer(kinesis, ready + 1000, consumer_arn=consumer.arn)
    assert describe_stream_consumer(kinesis, ready + 1001, consumer_arn=consumer.arn)[1].status(ready + 1001) == "DELETING"
    with pytest.raises(ResourceNotFoundException):
        describe_stream_consumer(kinesis, ready + 2000, consumer_arn=consumer.arn)
