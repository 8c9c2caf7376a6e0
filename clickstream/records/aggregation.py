"""The KPL's aggregated record: many user records inside one Kinesis record, as every KCL in every language reads it.

    F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf (16 bytes)

Encoding writes the protobuf by hand, because the size of what has been added must be known to the byte at every moment, and
then the bytes may as well be kept: measured twice as fast as filling protobuf's own message. Decoding is protobuf's (upb).
"""

import importlib
import re
import sys
from collections.abc import Iterable
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import Any

from clickstream.errors import Undecodable
from clickstream.records.routing import MAX_HASH_KEY

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16
#: What an aggregate costs before its first record.
ENVELOPE_BYTES = len(MAGIC) + DIGEST_BYTES

UserRecord = tuple[str, str | None, bytes]
"""(partition key, explicit hash key as decimal text or None, data)."""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


#: Lengths and indexes of ordinary events stand in these tables; only what is larger is computed.
_TABLED = 4096
_VARINTS = [_varint(value) for value in range(_TABLED)]
_RECORD_HEADS = [b"\x1a" + varint for varint in _VARINTS]
#: A record's partition key index, then the tag of its data.
_REFERENCES = [b"\x08" + varint + b"\x1a" for varint in _VARINTS]


class Aggregate:
    """Collects user records up to ``limit`` bytes, counted as ``encode`` will write them.

    A record that would pass the limit is refused, and no other, so an aggregate is neither over its limit nor under-filled.
    Each distinct partition key is stored once.
    """

    __slots__ = ("_keys", "_parts", "_tables", "count", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = ENVELOPE_BYTES
        """Bytes that ``encode`` would return now."""
        self.count = 0
        """User records."""
        # each key's reference as it stands inside a record, so that a known key costs one look-up and no formatting
        self._keys: dict[str, bytes] = {}
        self._tables: list[bytes] = []
        self._parts: list[bytes] = []

    def add(self, key: str, data: bytes) -> bool:
        """Append a user record; False (and nothing changed) when it does not fit any more."""
        return self.fill(((key, data),)) == 1

    def fill(self, records: Iterable[tuple[str, bytes]]) -> int:
        """Append (partition key, data) pairs until one does not fit any more; how many were taken.

        One loop for many records: a third of the time that calls of ``add`` would take goes into the calling.
        """
        keys, parts, limit = self._keys, self._parts, self.limit
        size = self.size
        taken = 0
        for key, data in records:
            entry = b""
            reference = keys.get(key)
            if reference is None:
                encoded = key.encode()
                size_of_key = len(encoded)
                entry = b"\x0a" + (_VARINTS[size_of_key] if size_of_key < _TABLED else _varint(size_of_key)) + encoded
                index = len(keys)
                reference = _REFERENCES[index] if index < _TABLED else b"\x08" + _varint(index) + b"\x1a"
            length = len(data)
            varint = _VARINTS[length] if length < _TABLED else _varint(length)
            inner = len(reference) + len(varint) + length
            head = _RECORD_HEADS[inner] if inner < _TABLED else b"\x1a" + _varint(inner)
            size += len(entry) + len(head) + inner
            if size > limit:
                break
            if entry:
                keys[key] = reference
                self._tables.append(entry)
            self.size = size
            taken += 1
            parts += (head, reference, varint, data)
        self.count += taken
        return taken

    def encode(self) -> bytes:
        """The Kinesis record's data; exactly ``size`` bytes."""
        message = b"".join(self._tables + self._parts)
        return b"".join((MAGIC, message, md5(message, usedforsecurity=False).digest()))


def is_aggregated(data: bytes) -> bool:
    """Whether this Kinesis record claims to be an aggregate; ``decode`` finds out whether it is a sound one."""
    return data.startswith(MAGIC)


def user_records(partition_key: str, data: bytes) -> list[UserRecord]:
    """What KCL delivers of a Kinesis record: the members of a sound aggregate, and anything else as it is."""
    if is_aggregated(data):
        try:
            # of an empty aggregate, the record itself
            return decode(data) or [(partition_key, None, data)]
        except Undecodable:
            pass  # broken somewhere: AggregatorUtil.java delivers it whole
    return [(partition_key, None, data)]


def decode(data: bytes) -> list[UserRecord]:
    """The user records of an aggregate, in order; raises Undecodable for anything but a sound aggregate, and never a part.

    >>> aggregate = Aggregate(limit=51_200)
    >>> aggregate.add("user-1", b"{}")
    True
    >>> decode(aggregate.encode())
    [('user-1', None, b'{}')]
    """
    if not data.startswith(MAGIC):
        raise Undecodable("not an aggregate: wrong magic")
    message = data[len(MAGIC) : -DIGEST_BYTES]
    if len(data) < ENVELOPE_BYTES or md5(message, usedforsecurity=False).digest() != data[-DIGEST_BYTES:]:
        raise Undecodable("broken aggregate: wrong MD5")
    aggregated_record, decode_error = _protobuf()
    try:
        aggregate = aggregated_record.FromString(message)
    except decode_error as error:
        raise Undecodable(f"broken aggregate: {error}") from error
    if not aggregate.IsInitialized():
        raise Undecodable("broken aggregate: a record lacks its partition key index or its data")
    keys = _texts(aggregate.partition_key_table)
    hash_keys = _texts(aggregate.explicit_hash_key_table)
    try:
        records = [
            (
                keys[record.partition_key_index],
                hash_keys[record.explicit_hash_key_index] if record.HasField("explicit_hash_key_index") else None,
                record.data,
            )
            for record in aggregate.records
        ]
    except IndexError as error:
        raise Undecodable("broken aggregate: a key index is outside of its table") from error
    if hash_keys and not all(explicit is None or _is_hash_key(explicit) for _, explicit, _ in records):
        raise Undecodable("broken aggregate: an explicit hash key is no number of 128 bits")
    return records


def _is_hash_key(text: str) -> bool:
    return re.fullmatch("[0-9]{1,39}", text) is not None and int(text) <= MAX_HASH_KEY


def _texts(table: Any) -> list[str]:
    texts = list(table)
    if not set(map(type, texts)) <= {str}:
        # upb hands out bytes where a string field is not UTF-8
        raise Undecodable("broken aggregate: a key is not UTF-8")
    return texts


@cache
def _protobuf() -> tuple[Any, type[Exception]]:
    """(AggregatedRecord, DecodeError), imported when the first aggregate is read: KCL's children never read one.

    aws-kinesis-agg's generated module imports ``config_pb2`` as if its own folder were on the path, and its other modules put
    that folder there for good. It is there only during this import, so no ``aggregator`` of someone else's is shadowed.
    """
    import aws_kinesis_agg
    from google.protobuf.message import DecodeError

    path = sys.path[:]
    sys.path.insert(0, str(Path(aws_kinesis_agg.__file__).parent))
    try:
        messages = importlib.import_module("aws_kinesis_agg.messages_pb2")
    finally:
        sys.path[:] = path
    return messages.AggregatedRecord, DecodeError
