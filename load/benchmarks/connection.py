"""One connection to a Kinesis server, cheap enough that the server and not its client is what a benchmark measures.

Bodies are encoded once and sent many times; boto3 would sign, encode and parse each call, for longer than some servers take.
"""

from __future__ import annotations

import base64
import http.client
import os
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

T = TypeVar("T")


class Failed(Exception):
    """The server did not answer with 200."""


class Put(msgspec.Struct, frozen=True, rename={"failed": "FailedRecordCount"}):
    """What of PutRecords' answer matters here."""

    failed: int = 0


class Read(msgspec.Struct, frozen=True, rename={"data": "Data"}):
    data: bytes


class Page(msgspec.Struct, frozen=True, rename={"records": "Records", "next_iterator": "NextShardIterator"}):
    """GetRecords' answer."""

    records: list[Read]
    next_iterator: str | None = None


class Iterator(msgspec.Struct, frozen=True, rename={"iterator": "ShardIterator"}):
    """GetShardIterator's answer."""

    iterator: str


class Shard(msgspec.Struct, frozen=True, rename={"shard_id": "ShardId"}):
    shard_id: str


class Shards(msgspec.Struct, frozen=True, rename={"shards": "Shards"}):
    """ListShards' answer."""

    shards: list[Shard]


class Connection:
    """Keeps one HTTP connection open; a context manager that closes it."""

    def __init__(self, url: str, region: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {
            "Content-Type": "application/x-amz-json-1.1",
            # no server here checks the signature, but some look for the region, the key and the date
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{region}/kinesis/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
            "X-Amz-Date": "20260101T000000Z",
        }

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, operation: str, body: bytes, kind: type[T]) -> T:
        """Raises Failed."""
        self._http.request("POST", "/", body, {**self._headers, "X-Amz-Target": f"Kinesis_20131202.{operation}"})
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status != http.client.OK:
            raise Failed(f"{operation}: {answer.status} {text[:200]!r}")
        return msgspec.json.decode(text or b"null", type=kind)

    def first_shard(self, stream: str) -> str:
        return self.call("ListShards", _body(StreamName=stream), Shards).shards[0].shard_id

    def from_the_start(self, stream: str) -> bytes:
        """The body of the GetRecords call that reads the stream's first shard from its oldest record on."""
        shard = self.first_shard(stream)
        asked = _body(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return next_page(self.call("GetShardIterator", asked, Iterator).iterator)


def next_page(iterator: str) -> bytes:
    """A GetRecords call's body."""
    return _body(ShardIterator=iterator)


def put_body(stream: str, *, records: int, size: int) -> bytes:
    """A PutRecords call's body: so many records of ``size`` random bytes."""
    entries = [{"PartitionKey": f"user-{n}", "Data": base64.b64encode(os.urandom(size)).decode()} for n in range(records)]
    return _body(StreamName=stream, Records=entries)


def _body(**members: object) -> bytes:
    return msgspec.json.encode(members)
