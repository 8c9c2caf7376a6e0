"""Opaque, sealed tokens: shard iterators and pagination tokens.

A token carries the whole position, so the server keeps no state per reader. A seal, keyed by the seed, rejects foreign tokens.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import TypeVar

import msgspec

LIFE_MS = 300_000
_SEAL_BYTES = 12


class ShardIterator(msgspec.Struct, frozen=True, array_like=True, tag="iterator"):
    """A position in a shard, and when it was issued."""

    stream: str
    stream_created_ms: int
    """Distinguishes the stream from a later one of the same name."""
    shard_index: int
    counter: int
    """Counter of the next record to read, at the least."""
    issued_ms: int


class ListingToken(msgspec.Struct, frozen=True, array_like=True, tag="listing"):
    """The position after which a listing continues."""

    operation: str
    """The only operation that accepts the token."""
    stream: str
    after: str
    """The last name, id or index that was listed."""
    issued_ms: int
    filter_type: str | None = None
    filter_shard_id: str | None = None
    filter_timestamp_ms: int | None = None


Token = TypeVar("Token", ShardIterator, ListingToken)


class TokenSeal:
    """Seals tokens, and opens those that it sealed."""

    def __init__(self, seed: int) -> None:
        self._key = blake2b(str(seed).encode(), digest_size=32).digest()

    def seal(self, token: ShardIterator | ListingToken) -> str:
        body = msgspec.msgpack.encode(token)
        return b64encode(self._digest(body) + body).decode()

    def unseal(self, text: str, kind: type[Token]) -> Token:
        """The token; ValueError when the seal is foreign or the token is of another kind."""
        raw = b64decode(text, validate=True)
        digest, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if digest != self._digest(body):
            raise ValueError("not sealed here")
        return msgspec.msgpack.decode(body, type=kind)

    def _digest(self, body: bytes) -> bytes:
        return blake2b(body, digest_size=_SEAL_BYTES, key=self._key).digest()
