"""The files of the durable log: framed entries, and the records that still need each file.

A segment starts with the state of every stream as of its beginning, so the segments before it may be deleted once their records
are no longer retained. A frame is a length, a CRC and a MessagePack entry; a torn frame at the very end is what a crash leaves,
and is cut off.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import msgspec

from clickstream.errors import UserMistake
from clickstream.infra.local.kinesis.model.log import Record
from clickstream.infra.local.kinesis.model.streams import StreamState


class Appended(msgspec.Struct, frozen=True, array_like=True, tag="P"):
    """Records put to one stream in one call."""

    region: str
    stream: str
    created_ms: int
    records: list[tuple[int, Record]]
    """Shard index and record."""


class Changed(msgspec.Struct, frozen=True, array_like=True, tag="S"):
    """The new state of a stream."""

    region: str
    state: StreamState


class Removed(msgspec.Struct, frozen=True, array_like=True, tag="X"):
    """A stream is gone."""

    region: str
    stream: str


Entry = Appended | Changed | Removed

#: Region, stream, its creation time, shard index.
ShardKey = tuple[str, str, int, int]

_HEAD = struct.Struct(">II")
_decoder = msgspec.msgpack.Decoder(Entry)


class Damaged(UserMistake):
    """The state folder is damaged in a way that no crash of this server causes."""


def encode(entry: Entry) -> bytes:
    """A frame."""
    payload = msgspec.msgpack.encode(entry)
    return _HEAD.pack(len(payload), crc32(payload)) + payload


class Segment:
    """One file, and the newest record of each shard in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.newest: dict[ShardKey, int] = {}

    def note(self, entry: Appended) -> None:
        """Note that the entry's records are in this file."""
        for index, record in entry.records:
            self.newest[entry.region, entry.stream, entry.created_ms, index] = record.counter

    def read(self, *, is_last: bool) -> Iterator[Entry]:
        """All entries. In the last segment a torn end is cut off; in any other it means damage."""
        with self.path.open("rb") as file:
            while payload := _next_payload(file):
                entry = _decoder.decode(payload)
                if isinstance(entry, Appended):
                    self.note(entry)
                self.size += _HEAD.size + len(payload)
                yield entry
        total = self.path.stat().st_size
        if self.size != total:
            if not is_last:
                raise Damaged(
                    f"{self.path} is damaged at byte {self.size}", hint="restore the folder, or start with an empty one"
                )
            os.truncate(self.path, self.size)

    def append(self, data: bytes) -> None:
        """Write frames and wait until the disk has them."""
        created = not self.path.exists()
        with self.path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if created:
            _sync_folder(self.path.parent)
        self.size += len(data)


def _next_payload(file: BinaryIO) -> bytes | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    payload = file.read(length)
    return payload if len(payload) == length and crc32(payload) == checksum else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
