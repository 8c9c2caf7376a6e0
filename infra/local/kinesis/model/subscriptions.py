"""The state of one subscription of enhanced fan-out."""

from __future__ import annotations

from clickstream.infra.local.kinesis.model.meters import Bucket
from clickstream.infra.local.kinesis.model.shards import Shard
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.limits.kinesis import FANOUT_BYTES_PER_S, SUBSCRIPTION_LIFE_MS


class Subscription:
    """One consumer's subscription to one shard: it lasts five minutes, or until another takes it over."""

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
