"""Operations on the registered consumers of enhanced fan-out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model.errors import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.streams import Consumer, Stream
from clickstream.infra.local.kinesis.model.tokens import ListingToken
from clickstream.infra.local.kinesis.model.validation import CONSUMER_ARN_PATTERN, arn_violation, check, name_violation
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.pages import check_creation, open_listing_token
from clickstream.infra.local.kinesis.operations.tags import check_tags
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import MAX_CONSUMERS


class ConsumerPage(msgspec.Struct, frozen=True):
    """Consumers in the order of their names."""

    consumers: list[Consumer]
    next_token: str | None


@operation
def register_stream_consumer(
    kinesis: Kinesis, stream_arn: str | None, name: str | None, now_ms: int, tags: Mapping[str, str] | None = None
) -> Consumer:
    check(arn_violation("streamARN", stream_arn), name_violation("consumerName", name))
    assert name is not None
    found = kinesis.idle(stream_arn, now_ms)
    consumers = consumers_of(found, now_ms)
    if name in consumers:
        raise ResourceInUseException(f"Consumer {name} under stream {found.state.name} already exists for account {ACCOUNT}.")
    if len(consumers) >= MAX_CONSUMERS:
        raise LimitExceededException(
            f"Stream {found.state.name} under account {ACCOUNT} has the maximum of {MAX_CONSUMERS} consumers."
        )
    check_tags({}, tags)
    consumer = Consumer(
        name=name,
        arn=f"{found.state.arn}/consumer/{name}:{now_ms // 1000}",
        created_ms=now_ms,
        active_from_ms=now_ms + kinesis.settings.transition_ms,
    )
    consumers[name] = consumer
    if tags:
        found.state.consumer_tags[consumer.arn] = dict(tags)
    kinesis.journal.changed(found)
    return consumer


@operation
def deregister_stream_consumer(
    kinesis: Kinesis, now_ms: int, *, stream_arn: str | None = None, name: str | None = None, consumer_arn: str | None = None
) -> None:
    found, consumer = find_consumer(kinesis, stream_arn, name, consumer_arn, now_ms)
    consumer.gone_from_ms = now_ms + kinesis.settings.transition_ms
    for (arn, _), subscription in list(kinesis.subscriptions.items()):
        if arn == consumer.arn:
            kinesis.unsubscribe(subscription)
    consumers_of(found, now_ms)
    kinesis.journal.changed(found)


@operation
def describe_stream_consumer(
    kinesis: Kinesis, now_ms: int, *, stream_arn: str | None = None, name: str | None = None, consumer_arn: str | None = None
) -> tuple[Stream, Consumer]:
    return find_consumer(kinesis, stream_arn, name, consumer_arn, now_ms)


@operation
def list_stream_consumers(
    kinesis: Kinesis,
    stream_arn: str | None,
    now_ms: int,
    *,
    max_results: int | None = None,
    next_token: str | None = None,
    stream_creation_ms: int | None = None,
) -> ConsumerPage:
    """A page of up to ``max_results`` (default 100) consumers."""
    check(arn_violation("streamARN", stream_arn), constraints.between("maxResults", max_results, 1, 10_000))
    found = kinesis.find(stream_arn, now_ms)
    check_creation(found, stream_creation_ms)
    after = open_listing_token(kinesis, "ListStreamConsumers", next_token, now_ms).after if next_token is not None else ""
    consumers = [one for name, one in sorted(consumers_of(found, now_ms).items()) if name > after]
    page = consumers[: max_results or 100]
    more = None
    if len(page) < len(consumers):
        more = kinesis.seal.seal(ListingToken("ListStreamConsumers", found.state.name, page[-1].name, now_ms))
    return ConsumerPage(page, more)


def find_consumer(
    kinesis: Kinesis, stream_arn: str | None, name: str | None, consumer_arn: str | None, now_ms: int
) -> tuple[Stream, Consumer]:
    if consumer_arn is not None:
        check(constraints.pattern("consumerARN", consumer_arn, CONSUMER_ARN_PATTERN))
        of_stream, _, rest = consumer_arn.partition("/consumer/")
        of_name = rest.rpartition(":")[0]
        if stream_arn not in (None, of_stream) or name not in (None, of_name):
            raise InvalidArgumentException("ConsumerARN names another consumer than StreamARN and ConsumerName.")
        stream_arn, name = of_stream, of_name
    if stream_arn is None or name is None:
        raise InvalidArgumentException("Either ConsumerARN, or StreamARN and ConsumerName must be provided.")
    found = kinesis.find(stream_arn, now_ms)
    consumer = consumers_of(found, now_ms).get(name)
    if consumer is None or consumer_arn not in (None, consumer.arn):
        raise ResourceNotFoundException(f"Consumer {name} under stream {found.state.name} not found for account {ACCOUNT}.")
    return found, consumer


def consumers_of(stream: Stream, now_ms: int) -> dict[str, Consumer]:
    consumers = stream.state.consumers
    for name, consumer in list(consumers.items()):
        if consumer.gone_from_ms is not None and now_ms >= consumer.gone_from_ms:
            del consumers[name]
            stream.state.consumer_tags.pop(consumer.arn, None)
    return consumers
