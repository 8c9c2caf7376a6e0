"""Small shard maps, and what a caller of the publisher does with its calls."""

from __future__ import annotations

import zlib

import zstandard

from clickstream.producers.publisher.packing import Member, Records
from clickstream.producers.publisher.puts import Parcel, Placed, Put
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.aggregation import decode, is_aggregated
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard, hash_key

MIDDLE = (MAX_HASH_KEY + 1) // 2


def shard(name: str, start: int = 0, end: int = MAX_HASH_KEY, *parents: str, is_open: bool = True) -> Shard:
    return Shard(shard_id=name, hash_range=HashRange.of(start, end), parents=parents, is_open=is_open)


ONE = [shard("whole")]
TWO = [shard("low", 0, MIDDLE - 1), shard("high", MIDDLE, MAX_HASH_KEY)]
SPLIT = [
    shard("whole", is_open=False),
    shard("low", 0, MIDDLE - 1, "whole"),
    shard("high", MIDDLE, MAX_HASH_KEY, "whole"),
]
MERGED = [
    shard("low", 0, MIDDLE - 1, is_open=False),
    shard("high", MIDDLE, MAX_HASH_KEY, is_open=False),
    shard("whole", 0, MAX_HASH_KEY, "low", "high"),
]

LOW = [key for key in map(str, range(200)) if int.from_bytes(hash_key(key), "big") < MIDDLE]
HIGH = [key for key in map(str, range(200)) if int.from_bytes(hash_key(key), "big") >= MIDDLE]


def puts(publisher: Publisher, now: float) -> list[Put]:
    actions = publisher.due(now)
    assert all(isinstance(action, Put) for action in actions)
    return [action for action in actions if isinstance(action, Put)]


def the_put(publisher: Publisher, now: float) -> Put:
    (put,) = puts(publisher, now)
    return put


def events(parcel: Parcel) -> list[bytes]:
    data = parcel.data
    if is_aggregated(data):
        return [event for _, _, event in decode(data)]
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    elif data.startswith(b"\x1f\x8b"):
        data = zlib.decompress(data, 31)
    return data[:-1].split(b"\n") if data.endswith(b"\n") else [data]


def parcel(data: bytes, *, user: str = "u", shard_id: str = "s", records: Records = "single") -> Parcel:
    return Parcel(shard_id, (Member(0, user, data, hash_key(user), 0.0, None),), records)


def accept(publisher: Publisher, put: Put, now: float) -> None:
    publisher.on_result(put, [Placed(parcel.shard_id, "1") for parcel in put.parcels], now)
