"""The streams of one account and region: finding them, and making the changes that have become due."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

from infra.local.kinesis import validation
from infra.local.kinesis.errors import InvalidArgumentException, ResourceInUseException, ResourceNotFoundException
from infra.local.kinesis.faults import Faults
from infra.local.kinesis.limits import MAX_RECORD_KIB, MIN_RECORD_KIB
from infra.local.kinesis.log import Record
from infra.local.kinesis.shards import Shard, index_of
from infra.local.kinesis.streams import Change, Created, Deleted, Merge, Pending, Scale, Setting, Split, Stream
from infra.local.kinesis.tokens import TokenSeal

ACCOUNT_ID = "000000000000"


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the model behaves where AWS leaves a choice or where a laptop is no data centre."""

    region: str = "us-east-1"
    seed: int = 0
    """Seals tokens and draws faults; two models with one seed behave alike and open each other's iterators."""
    enforce_limits: bool = False
    """Per-shard write and read limits, and the bounds of UpdateShardCount (at most double, at least half)."""
    shard_quota: int = 500
    """Open shards of all provisioned streams together."""
    transition_ms: int = 0
    """How long a stream or a consumer stays CREATING, UPDATING or DELETING."""
    retention_bytes: int | None = None
    """Bytes retained per shard, whatever the retention period says."""
    max_record_kib: int = MIN_RECORD_KIB
    """Record size of a stream that was created without one, 1024 to 10240."""

    def __post_init__(self) -> None:
        if not MIN_RECORD_KIB <= self.max_record_kib <= MAX_RECORD_KIB:
            raise ValueError(f"max_record_kib must be {MIN_RECORD_KIB} to {MAX_RECORD_KIB}")


class Journal(Protocol):
    """Hears of everything that must outlive the process."""

    def appended(self, stream: Stream, records: list[tuple[int, Record]]) -> None:
        """Records were added to shards (by index)."""

    def changed(self, stream: Stream) -> None:
        """A stream's state, shards included, is new."""

    def removed(self, stream: Stream) -> None:
        """A stream is gone."""


class NullJournal:
    """Nothing outlives the process."""

    def appended(self, stream: Stream, records: list[tuple[int, Record]]) -> None: ...

    def changed(self, stream: Stream) -> None: ...

    def removed(self, stream: Stream) -> None: ...


class Registry:
    """Streams by name. The operations are mixed in: see :class:`infra.local.kinesis.model.Kinesis`.

    A stream parameter takes a name or an ARN. ``now_ms`` is the time of the call and must not go back by more than clocks do.
    """

    def __init__(self, settings: ModelSettings | None = None, journal: Journal | None = None) -> None:
        self.settings = settings or ModelSettings()
        self.journal: Journal = journal or NullJournal()
        self.faults = Faults(self.settings.seed)
        self.seal = TokenSeal(self.settings.seed)
        self.streams: dict[str, Stream] = {}

    def stream_arn(self, name: str) -> str:
        region = self.settings.region
        return f"arn:{partition_of(region)}:kinesis:{region}:{ACCOUNT_ID}:stream/{name}"

    def find(self, stream: str | None, now_ms: int) -> Stream:
        """The stream in whatever state, with due changes made."""
        if stream is None:
            raise InvalidArgumentException("Either StreamName or StreamARN must be provided.")
        if stream.startswith("arn:"):
            validation.check(validation.pattern("streamARN", stream, validation.STREAM_ARN_PATTERN))
            name = stream.split("/", 1)[1]
            if self.stream_arn(name) != stream:
                raise ResourceNotFoundException(f"Stream {name} under account {stream.split(':')[4]} not found.")
        else:
            name = stream
        found = self.streams.get(name)
        if found is None or not self._settle(found, now_ms):
            validation.check(validation.name("streamName", name))
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
                f"Stream {found.state.name} under account {ACCOUNT_ID} not ACTIVE, instead in state {found.status}"
            )
        return found

    def find_shard(self, stream: Stream, shard_id: str | None, now_ms: int, member: str = "shardId") -> Shard:
        """A shard that has not expired."""
        validation.check(validation.name(member, shard_id))
        assert shard_id is not None
        self.expire(stream, now_ms)
        index = index_of(shard_id)
        shard = None if index is None else stream.graph.shards.get(index)
        if shard is None:
            raise ResourceNotFoundException(
                f"Shard {shard_id} in stream {stream.state.name} under account {ACCOUNT_ID} does not exist"
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
        if self._settle(stream, now_ms) and stream.state.pending is not None:
            self.journal.changed(stream)

    def _settle(self, stream: Stream, now_ms: int) -> bool:
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
    return ResourceNotFoundException(f"Stream {name} under account {ACCOUNT_ID} not found.")


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Registry)


def operation(name: str) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Marks a method as an operation of the API, which injected faults may hit."""

    def decorate(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not self.faults.active:
                return method(self, *args, **kwargs)
            self.faults.check(name, "before")
            result = method(self, *args, **kwargs)
            self.faults.check(name, "after")
            return result

        functools.update_wrapper(call, method)
        return call

    return decorate
