"""A stream as its owner reshards it, and as KCL and our shard loop read it, with none of our code."""

from __future__ import annotations

import base64
import json
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from hashlib import md5
from typing import Any

import zstandard

_KPL = b"\xf3\x89\x9a\xc2"


def open_shards(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    shards = kinesis.list_shards(StreamName=stream, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def split_first(kinesis: Any, stream: str) -> None:
    shard = open_shards(kinesis, stream)[0]
    start, end = (int(shard["HashKeyRange"][f"{side}HashKey"]) for side in ("Starting", "Ending"))
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str((start + end) // 2))
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def merge_first(kinesis: Any, stream: str) -> None:
    left, right = open_shards(kinesis, stream)[:2]
    kinesis.merge_shards(StreamName=stream, ShardToMerge=left["ShardId"], AdjacentShardToMerge=right["ShardId"])
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def event(user: str, number: int) -> bytes:
    """What is no more than its user and its number; a block's line must name its user."""
    return b"%d:%b" % (number, user.encode())


def delivered(kinesis: Any, stream: str, *, drops: bool) -> dict[str, list[bytes]]:
    """Each user's events; ``drops`` says whether KCL's range filter is on, which drops an aggregate with a foreign event."""
    users: dict[str, list[bytes]] = defaultdict(list)
    seen: set[bytes] = set()
    shards = [shard for page in kinesis.get_paginator("list_shards").paginate(StreamName=stream) for shard in page["Shards"]]
    # ids grow with age: parents come before their children
    for shard in sorted(shards, key=lambda shard: str(shard["ShardId"])):
        start, end = (int(shard["HashKeyRange"][f"{side}HashKey"]) for side in ("Starting", "Ending"))
        for record in records(kinesis, stream, shard["ShardId"]):
            found = members(record)
            home = [start <= int.from_bytes(md5(key.encode()).digest(), "big") <= end for key, _ in found]
            if record["Data"].startswith(_KPL) and drops and not all(home):
                continue
            for (key, data), is_home in zip(found, home, strict=True):
                if is_home and data not in seen:
                    seen.add(data)
                    users[key].append(data)
    return users


def members(record: dict[str, Any]) -> list[tuple[str, bytes]]:
    """(user, event) of everything in a record."""
    data = record["Data"]
    if data.startswith(_KPL):
        path = sys.path[:]
        from aws_kinesis_agg.deaggregator import iter_deaggregate_records

        sys.path[:] = path
        apart = iter_deaggregate_records([record], data_format="Boto3")
        return [(each["kinesis"]["partitionKey"], base64.b64decode(each["kinesis"]["data"])) for each in apart]
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    elif data.startswith(b"\x1f\x8b"):
        data = zlib.decompress(data, 31)
    if not data.endswith(b"\n"):
        return [(record["PartitionKey"], data)]
    return [(_user(line), line) for line in data[:-1].split(b"\n")]


def _user(line: bytes) -> str:
    """Of a shop's event, or of one that ``event`` made."""
    return str(json.loads(line)["user_id"]) if line.startswith(b"{") else line.partition(b":")[2].decode()


def records(kinesis: Any, stream: str, shard_id: str) -> Iterator[dict[str, Any]]:
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    while iterator is not None:
        try:
            response = kinesis.get_records(ShardIterator=iterator)
        except kinesis.exceptions.ProvisionedThroughputExceededException:
            time.sleep(0.2)  # the server's own condition: five reads in a second
            continue
        yield from response["Records"]
        iterator = response.get("NextShardIterator") if response["MillisBehindLatest"] or response.get("ChildShards") else None
