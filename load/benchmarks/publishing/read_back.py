"""What became of the events that a producer was told to put: the stream read back, record by record, and compared.

An oracle: it opens records with the formats' own libraries and hashes users itself, and shares nothing with the publisher.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from hashlib import md5
from typing import TYPE_CHECKING

import msgspec
import zstandard
from aws_kinesis_agg import deaggregator

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_AGGREGATE = b"\xf3\x89\x9a\xc2"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Read(msgspec.Struct, frozen=True):
    """A record and the hash keys, first and last, of the shard that it was read from."""

    first: int
    last: int
    data: bytes


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Events, as a reader sees them who passes over what does not belong into the shard."""

    lost: int
    doubled: int
    disordered: int
    """Read after a later event of the same user."""
    foreign: int
    """In the stream, in a shard that is not their user's."""


def read_all(kinesis: KinesisClient, stream: str) -> Iterator[Read]:
    """Every record, shard by shard; a parent's id is smaller than its children's."""
    for shard in sorted(kinesis.list_shards(StreamName=stream)["Shards"], key=lambda each: each["ShardId"]):
        span = shard["HashKeyRange"]
        first, last = int(span["StartingHashKey"]), int(span["EndingHashKey"])
        iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        at: str | None = iterator["ShardIterator"]
        while at:
            answer = kinesis.get_records(ShardIterator=at)
            for record in answer["Records"]:
                yield Read(first, last, record["Data"])
            at = answer.get("NextShardIterator") if answer["Records"] or answer["MillisBehindLatest"] else None


def account(sent: Sequence[tuple[str, bytes]], records: Iterable[Read], *, whole_records: bool) -> Account:
    """``sent``: (user, event) in the order in which they were put, each event once.

    ``whole_records``: a record with one foreign event is passed over whole, as KCL does with the KPL's; otherwise that event.
    """
    number_of = {data: number for number, (_, data) in enumerate(sent)}
    hash_keys: dict[str, int] = {}
    latest: dict[str, int] = {}
    times = bytearray(len(sent))
    disordered = foreign = 0
    for record in records:
        numbers = [number_of[event] for event in _events_of(record.data)]
        at_home = []
        for number in numbers:
            user = sent[number][0]
            if user not in hash_keys:
                hash_keys[user] = int.from_bytes(md5(user.encode(), usedforsecurity=False).digest(), "big")
            if record.first <= hash_keys[user] <= record.last:
                at_home.append(number)
        foreign += len(numbers) - len(at_home)
        if whole_records and len(at_home) < len(numbers):
            continue
        for number in at_home:
            user = sent[number][0]
            times[number] = min(255, times[number] + 1)
            if times[number] > 1:
                continue  # counted as doubled, and not as out of order too
            if number < latest.get(user, -1):
                disordered += 1
            else:
                latest[user] = number
    seen = len(times) - times.count(0)
    return Account(lost=times.count(0), doubled=sum(times) - seen, disordered=disordered, foreign=foreign)


def _events_of(data: bytes) -> list[bytes]:
    if data.startswith(_AGGREGATE):
        record = {"Data": data, "PartitionKey": "a", "SequenceNumber": "1", "ApproximateArrivalTimestamp": 0}
        members = deaggregator.iter_deaggregate_records([record], data_format="Boto3")
        return [base64.b64decode(member["kinesis"]["data"]) for member in members]
    text = zstandard.ZstdDecompressor().decompress(data) if data.startswith(_ZSTD) else data
    return [line for line in text.split(b"\n") if line]
