"""Many small files of an hour into few large ones. The plan is pure; :class:`Compactor` carries it out on S3."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import msgspec
import pyarrow as pa

from clickstream.aws.boto_types import S3Client
from clickstream.consumers.archive import parquet
from clickstream.consumers.archive.names import Name, covered, stored
from clickstream.consumers.archive.sink import EVENTS, put
from clickstream.errors import RetryLater
from clickstream.failures.outages import translated

#: Query engines like files of about this size; a file that has it is left alone.
TARGET_BYTES = 128 * 1024 * 1024


class Merging(msgspec.Struct, frozen=True):
    """``sources``, in the order of their chunks, become ``target``."""

    target: Name
    sources: tuple[Name, ...]


class Plan(msgspec.Struct, frozen=True):
    merges: tuple[Merging, ...]
    useless: tuple[Name, ...]
    """Files that another one holds: left by a compaction that was interrupted, or written again by a replay."""


def plan(sizes: Mapping[Name, int], ended: Collection[str], target_bytes: int = TARGET_BYTES) -> Plan:
    """What to do about the files of these sizes (bytes); ``ended`` names the shards whose last chunk is complete as well.

    Only complete chunks are touched: those before a shard's highest, since a file of a later chunk appears only after them.
    """
    useless = covered(sizes)
    newest = {name.shard: name.last for name in sorted(sizes, key=lambda name: name.last)}
    complete = [name for name in sorted(sizes.keys() - useless) if name.last < newest[name.shard] or name.shard in ended]
    merges = [
        Merging(Name(sources[0].hour, sources[0].shard, sources[0].first, sources[-1].last), tuple(sources))
        for _, group in groupby(complete, lambda name: (name.hour, name.shard))
        for sources in _batches(group, sizes, target_bytes)
        if len(sources) > 1
    ]
    return Plan(tuple(merges), tuple(sorted(useless)))


def _batches(names: Iterable[Name], sizes: Mapping[Name, int], target_bytes: int) -> Iterator[list[Name]]:
    """Neighbours that together come to at most the target, which also bounds what is held in memory."""
    batch: list[Name] = []
    for name in names:
        if batch and sum(sizes[each] for each in batch) + sizes[name] > target_bytes:
            yield batch
            batch = []
        batch.append(name)
    if batch:
        yield batch


class Compactor:
    """Carries out plans. Two at the same time, or one that dies halfway, do no harm: readers go by the names."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def sizes(self) -> dict[Name, int]:
        """Every file of the archive, in bytes. Raises RetryLater."""
        with translated("S3"):
            return stored(self._s3, self._bucket)

    def carry_out(self, plan: Plan, *, tell: Callable[[Merging], None]) -> None:
        """Merge, then delete what the merged files hold. Raises RetryLater."""
        self._delete(plan.useless)
        for merging in plan.merges:
            with suppress(pa.ArrowTypeError):  # one property has two types there: they stay as they are
                if self._merge(merging):
                    self._delete(merging.sources)
                    tell(merging)

    def _merge(self, merging: Merging) -> bool:
        bodies, expected = [], 0
        with translated("S3"):
            for name in merging.sources:
                answer = self._s3.get_object(Bucket=self._bucket, Key=name.key)
                bodies.append(answer["Body"].read())
                expected += int(answer["Metadata"][EVENTS])
        merged, events = parquet.merge(bodies)
        if events != expected:
            raise RetryLater(f"{merging.target.key} would hold {events} events, its sources told of {expected}: they stay")
        # if it is there, another compactor came first with the same chunks, and deletes them, or the next one does
        return put(self._s3, self._bucket, merging.target.key, merged, events) is not None

    def _delete(self, names: Sequence[Name]) -> None:
        for start in range(0, len(names), 1000):
            objects = [{"Key": name.key} for name in names[start : start + 1000]]
            with translated("S3"):
                self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]  # invariant list
