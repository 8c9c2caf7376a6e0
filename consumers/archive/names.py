"""The archive's object keys, and which of them a reader must look at.

``date=2026-11-24/hour=17/shardId-000000000003.00000012-00000012.parquet`` holds what chunk 12 of that shard has of that hour;
``….00000004-00000012.parquet`` is compacted, and holds chunks 4 to 12.

A reader passes over a file whose chunks another file of the same shard and hour holds as well. So a compacted file takes the
place of all that it was made of in the moment it appears, and a replay that writes one of them again changes no answer.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from clickstream.aws.boto_types import S3Client
from clickstream.consumers.archive.fold import HOUR_MS

_KEY = re.compile(r"date=(\d{4}-\d\d-\d\d)/hour=(\d\d)/(shardId-\d+)\.(\d{8,})-(\d{8,})\.parquet")


class Name(msgspec.Struct, frozen=True, order=True):
    """Which events a file holds: of ``shard``, chunks ``first`` to ``last``, those of ``hour`` (hours since the epoch, UTC)."""

    hour: int
    shard: str
    first: int
    last: int

    @property
    def key(self) -> str:
        at = datetime.fromtimestamp(self.hour * HOUR_MS / 1000, UTC)
        return f"date={at:%Y-%m-%d}/hour={at:%H}/{self.shard}.{self.first:08d}-{self.last:08d}.parquet"

    @classmethod
    def parse(cls, key: str) -> "Name | None":
        """The inverse of ``key``; None for an object that is no file of the archive."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        date, hour, shard, first, last = found.groups()
        at = datetime.fromisoformat(f"{date}T{hour}:00:00+00:00")
        return cls(int(at.timestamp()) * 1000 // HOUR_MS, shard, int(first), int(last))

    def holds(self, other: "Name") -> bool:
        """Whether all chunks of the other file, another one, are in this one."""
        same_place = self != other and (self.hour, self.shard) == (other.hour, other.shard)
        return same_place and self.first <= other.first and other.last <= self.last


def stored(s3: S3Client, bucket: str) -> dict[Name, int]:
    """Every file of the archive, in bytes."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="date=")
    found = ((Name.parse(item["Key"]), item["Size"]) for page in pages for item in page.get("Contents", []))
    return {name: size for name, size in found if name is not None}


def covered(names: Iterable[Name]) -> set[Name]:
    """Those that another one holds: of no use to a reader, and free to be deleted."""
    found: set[Name] = set()
    widest: Name | None = None
    # ranges are nested or apart: in this order whatever holds a range comes before it
    for name in sorted(names, key=lambda name: (name.hour, name.shard, name.first, -name.last)):
        if widest is not None and widest.holds(name):
            found.add(name)
        else:
            widest = name
    return found
