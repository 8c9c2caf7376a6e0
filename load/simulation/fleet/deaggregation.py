"""What KCL does to a Kinesis record before a shard's process sees it: AggregatorUtil's rules, with a parser of its own.

- magic, MD5 tail and a sound protobuf make an aggregate; anything else goes on as one plain record, a broken aggregate too;
- with the range filter on, the first user record outside of the shard drops the whole aggregate, and nobody is told;
- the sub-sequence number is the user record's index in its aggregate.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import md5
from typing import NamedTuple

_MAGIC = bytes((0xF3, 0x89, 0x9A, 0xC2))


class UserRecord(NamedTuple):
    """``hashes_to``: the 128-bit hash key."""

    partition_key: str
    hashes_to: int
    data: bytes


class Range(NamedTuple):
    """Hash keys, both ends included."""

    first: int
    last: int

    def holds(self, key: int) -> bool:
        return self.first <= key <= self.last


def deaggregate(partition_key: str, data: bytes) -> tuple[bool, list[UserRecord]]:
    """(whether it is an aggregate, its user records); a plain record is its own only one."""
    members = _members(data)
    if members is None:
        return False, [UserRecord(partition_key, hash_of(partition_key), data)]
    return True, members


def delivered(partition_key: str, data: bytes, shard: Range, *, filtered: bool) -> list[UserRecord]:
    """The user records that KCL passes on; a plain record is never filtered."""
    is_aggregate, members = deaggregate(partition_key, data)
    if is_aggregate and filtered and not all(shard.holds(member.hashes_to) for member in members):
        return []
    return members


@lru_cache(1024)
def hash_of(partition_key: str) -> int:
    return int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


@lru_cache(512)
def _members(data: bytes) -> list[UserRecord] | None:
    if not data.startswith(_MAGIC) or len(data) < 20:
        return None
    body = data[4:-16]
    if md5(body, usedforsecurity=False).digest() != data[-16:]:
        return None
    try:
        return _parse(body)
    except (IndexError, UnicodeDecodeError, ValueError):
        return None


def _parse(body: bytes) -> list[UserRecord]:
    keys: list[str] = []
    hash_keys: list[str] = []
    records: list[tuple[int, int | None, bytes]] = []
    for number, value in _fields(body):
        assert isinstance(value, bytes)
        if number == 1:
            keys.append(value.decode())
        elif number == 2:
            hash_keys.append(value.decode())
        elif number == 3:
            inner = dict(_fields(value))
            key, explicit, data = inner[1], inner.get(2), inner[3]
            assert isinstance(key, int)
            assert explicit is None or isinstance(explicit, int)
            assert isinstance(data, bytes)
            records.append((key, explicit, data))
    return [
        UserRecord(keys[key], hash_of(keys[key]) if explicit is None else int(hash_keys[explicit]), data)
        for key, explicit, data in records
    ]


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """(field number, value) of varint and length-delimited fields."""
    fields: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == 0:
            fields.append((tag >> 3, value))
        elif tag & 7 == 2:
            if at + value > len(message):
                raise ValueError("cut short")
            fields.append((tag >> 3, message[at : at + value]))
            at += value
        else:
            raise ValueError("not a field of an aggregate")
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
