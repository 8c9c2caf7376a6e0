"""What ListShards says of the shard that a process was given."""

from __future__ import annotations

from clickstream.aws import Clients
from clickstream.errors import RetryLater
from clickstream.routing import Shard
from clickstream.settings import Settings
from consumers.runtime.outages import translated


def all_shards(clients: Clients, settings: Settings) -> list[Shard]:
    """Every shard that the stream still knows, closed ones included."""
    with translated("Kinesis"):
        pages = clients.kinesis.get_paginator("list_shards").paginate(StreamName=settings.stream)
        return [Shard.from_api(dict(shard)) for page in pages for shard in page["Shards"]]


def describe(shard_id: str, clients: Clients, settings: Settings) -> Shard:
    """One shard's hash range and parents. Raises RetryLater while the listing does not show it."""
    for shard in all_shards(clients, settings):
        if shard.shard_id == shard_id:
            return shard
    raise RetryLater(f"Kinesis: ListShards does not show {shard_id}")
