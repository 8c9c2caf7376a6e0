"""All records of a stream: every shard from a starting point on, children after their parents.

Within a shard records come in order, and so do those of one user across reshards, because a child is read only when all its
parents have ended.
"""

from collections.abc import Iterable, Iterator
from time import monotonic, sleep

import msgspec

from clickstream.aws.boto_types import KinesisClient
from clickstream.operating.resharding import find
from clickstream.records.kinesis import list_shards
from clickstream.records.reading import TRIM_HORIZON, Batch, ShardReader, Start
from clickstream.records.routing import Shard


class Lineage:
    """Which shards may be read now: those whose parents have all ended, or are not there any more."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._waiting: dict[str, Shard] = {shard.shard_id: shard for shard in shards}
        self._known = set(self._waiting)
        self._unfinished = set(self._waiting)

    def learn(self, shards: Iterable[Shard]) -> None:
        """All that ListShards has: the descendants of known shards are added, others are older than what is to be read.

        The whole listing is needed: a merged shard is listed when one of its parents ends, while the other parent may itself
        be a child that is not known yet.
        """
        unknown = {shard.shard_id: shard for shard in shards if shard.shard_id not in self._known}
        while found := [shard for shard in unknown.values() if not self._known.isdisjoint(shard.parents)]:
            for shard in found:
                del unknown[shard.shard_id]
                self._known.add(shard.shard_id)
                self._unfinished.add(shard.shard_id)
                self._waiting[shard.shard_id] = shard

    def ended(self, shard_id: str) -> None:
        self._unfinished.discard(shard_id)

    def take_readable(self) -> list[Shard]:
        """Each shard once, as soon as its turn has come."""
        readable = [shard for shard in self._waiting.values() if self._unfinished.isdisjoint(shard.parents)]
        for shard in readable:
            del self._waiting[shard.shard_id]
        return readable


def follow(client: KinesisClient, stream: str, start: Start, *, only: str | None = None, forever: bool) -> Iterator[Batch]:
    """Read until every shard is read to its tip, or ``forever``; ``only`` reads a single shard and not its children.

    Yields after each read, empty ones too, so that a caller can flush or stop. Raises Missing when the stream or
    the shard is not there, RetryLater when Kinesis does not answer.
    """
    shards = list_shards(client, stream)
    if only is not None:
        shards = [msgspec.structs.replace(find(shards, only), parents=())]
    elif start.kind == "LATEST":
        # what is closed has no new records
        shards = [msgspec.structs.replace(shard, parents=()) for shard in shards if shard.is_open]
    lineage = Lineage(shards)
    first = {shard.shard_id for shard in shards}
    readers: list[ShardReader] = []
    while True:
        for shard in lineage.take_readable():
            readers.append(ShardReader(client, stream, shard, start if shard.shard_id in first else TRIM_HORIZON))
        if not readers:
            return
        reader = min(readers, key=lambda each: each.due_at)
        sleep(max(0.0, reader.due_at - monotonic()))
        batch = reader.read()
        if batch is None:
            continue
        yield batch
        if reader.ended:
            readers.remove(reader)
            lineage.ended(reader.shard.shard_id)
            if only is None:
                lineage.learn(list_shards(client, stream))
        elif not forever and batch.behind_ms == 0:
            readers.remove(reader)
