"""SubscribeToShard's push: events as they arrive, heartbeats between, until five minutes have passed or the shard ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec

from clickstream.infra.local.kinesis.http import eventstream, shapes
from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.wire import Wire
from clickstream.infra.local.kinesis.model.errors import KinesisError
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import StartingPosition
from clickstream.infra.local.kinesis.model.subscriptions import Subscription
from clickstream.infra.local.kinesis.operations.subscriptions import has_news, next_event, subscribe_to_shard

#: An event is sent at least this often; KCL suspects a connection after 30 s of silence.
HEARTBEAT_MS = 5_000
#: How often a shard is polled when nothing is put: a pending change becomes due with time alone.
_LOOK_S = 0.25


class Bell:
    """Wakes the subscriptions when there are new records or shards."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all waiters."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return at the next ring, or after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return


class Opened(msgspec.Struct, frozen=True):
    """SubscribeToShard was accepted: its events follow as long as the subscription lives."""

    kinesis: Kinesis
    subscription: Subscription
    wire: Wire


def subscribe(kinesis: Kinesis, wire: Wire, body: bytes, now_ms: int) -> Opened:
    p = Parameters(wire.decode(body, dict[str, Any]), wire)
    start = p.structure("StartingPosition") or Parameters({}, wire)
    position = StartingPosition(start.text("Type") or "", start.text("SequenceNumber"), start.time_ms("Timestamp"))
    subscription = subscribe_to_shard(
        kinesis, p.text("ConsumerARN"), p.text("ShardId"), position, now_ms, dry_run=p.flag("DryRun")
    )
    return Opened(kinesis, subscription, wire)


async def events(opened: Opened, bell: Bell, clock: Callable[[], int]) -> AsyncGenerator[bytes]:
    """Frames of one subscription. Closing the iterator ends the subscription."""
    kinesis, subscription, wire = opened.kinesis, opened.subscription, opened.wire
    kind = wire.content_type
    try:
        yield eventstream.event("initial-response", kind, wire.encode({}))
        sent_ms = 0  # the first event, which carries the position, is sent at once
        while subscription.is_open and (now_ms := clock()) < subscription.expires_ms:
            if not has_news(kinesis, subscription) and now_ms - sent_ms < HEARTBEAT_MS:
                await bell.wait(_LOOK_S)
                continue
            event = next_event(kinesis, subscription, now_ms)
            if event.records or event.continuation_sequence_number is None or now_ms - sent_ms >= HEARTBEAT_MS:
                sent_ms = now_ms
                yield eventstream.event("SubscribeToShardEvent", kind, wire.encode(shapes.fanout_event(event)))
            else:
                await bell.wait(_LOOK_S)  # there are records, but the subscription's 2 MB/s are used up
    except KinesisError as error:
        yield eventstream.exception(error.code, kind, wire.encode({"message": error.message}))
    finally:
        kinesis.unsubscribe(subscription)
