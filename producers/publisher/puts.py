"""What goes between the publisher and the code that talks to Kinesis: calls to make, their results, and settled events."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from clickstream.errors import ClickstreamError
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.packing import Member, Records, packed


class Parcel(msgspec.Struct, gc=False):
    """One Kinesis record and the events in it."""

    shard_id: str
    """The shard that it was made for."""
    members: tuple[Member, ...]
    records: Records
    alone: bool = False
    """To be put in a call of its own, because a call that held it was refused as a whole."""
    _data: bytes | None = None

    def of(self, members: tuple[Member, ...]) -> Parcel:
        """The same with only these of its events."""
        return Parcel(self.shard_id, members, self.records, self.alone)

    @property
    def data(self) -> bytes:
        """Packed when it is first asked for: by the thread that makes the call, while nobody waits for the publisher's lock."""
        if self._data is None:
            self._data = packed(self.members, self.records)
        return self._data

    @property
    def partition_key(self) -> str:
        return self.members[0].key

    @property
    def explicit_hash_key(self) -> str | None:
        """The first event says where the record goes: it lies in the shard, and after a split at least it is at home."""
        return str(int.from_bytes(self.members[0].hash_key, "big")) if len(self.members) > 1 else None

    @property
    def size(self) -> int:
        """Bytes that count towards the limits of Kinesis."""
        return len(self.data) + len(self.partition_key.encode())

    @property
    def most_bytes(self) -> int:
        """``size`` is no more, which is known before the packing."""
        if self.records == "kpl":
            return self.size
        return len(self.partition_key.encode()) + sum([len(member.data) + 1 for member in self.members])


class Put(msgspec.Struct, frozen=True):
    """Make this PutRecords call, then tell ``Publisher.on_result``."""

    parcels: tuple[Parcel, ...]


def into_calls(parcels: Iterable[Parcel], limits: Limits) -> Iterable[Put]:
    """Cut records into calls that Kinesis takes."""
    call: list[Parcel] = []
    size = 0
    for parcel in parcels:
        if parcel.alone:
            yield Put((parcel,))
            continue
        most_bytes = parcel.most_bytes
        if call and (len(call) == limits.put_records or size + most_bytes > limits.put_bytes):
            yield Put(tuple(call))
            call, size = [], 0
        call.append(parcel)
        size += most_bytes
    if call:
        yield Put(tuple(call))


class RefreshShardMap(msgspec.Struct, frozen=True):
    """Make a ListShards call (all pages, closed shards too); answer ``Publisher.on_shard_map`` or ``on_shard_map_failed``."""


Action = Put | RefreshShardMap


class Placed(msgspec.Struct, frozen=True, gc=False):
    """Kinesis has the record."""

    shard_id: str
    sequence_number: str


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Kinesis refused this record of a call that succeeded otherwise."""

    error: ClickstreamError
    """A Rejected one will never be taken."""


class CallFailed(msgspec.Struct, frozen=True, gc=False):
    """The call failed as a whole; what it held may or may not be in the stream."""

    error: ClickstreamError
    """After a Rejected one the same call will never succeed."""


PutResult = list[Placed | Refused] | CallFailed


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """The event is in the shard that it belongs to."""

    token: object
    shard_id: str
    sequence_number: str


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The event was given up; it may be in the stream nevertheless if a call about it was never answered."""

    token: object
    key: str
    data: bytes
    error: ClickstreamError


Settled = Delivered | Failed


class Counters(msgspec.Struct):
    """Since the publisher was made. ``records`` and ``bytes`` are what Kinesis has accepted, all else is named by its fate."""

    events: int = 0
    """Events accepted by ``add``."""
    too_large: int = 0
    """Events refused by ``add`` because of their size."""
    delivered: int = 0
    """Events known to be in the right shard."""
    failed: int = 0
    """Events given up and reported."""
    calls: int = 0
    """PutRecords calls that were answered, well or ill."""
    records: int = 0
    bytes: int = 0
    """Data of ``records``."""
    throttled: int = 0
    """Records refused because a shard was over its limits."""
    retried: int = 0
    """Records put again after a refusal or a failed call."""
    mispredicted: int = 0
    """Records that came to another shard than expected: the stream was resharded."""
    reput: int = 0
    """Events put again because their record came to a shard that they, or others of their KPL aggregate, do not belong to."""
