"""Records that begin as KPL aggregates and that no reader can take apart. Pure."""

from __future__ import annotations

from hashlib import md5

_MAGIC = b"\xf3\x89\x9a\xc2"


def unreadable_aggregates() -> tuple[bytes, ...]:
    """All of them; the digest is right but in the last two."""
    key, good = _field(1, b"ann"), _member(b"\x00", None)
    messages = (
        key + good + _member(b"\x05", None),
        key + _field(2, b"abc") + good + _member(b"\x00", b"\x00"),
        key + good + _member(b"\x00", b"\x03"),
        key + _field(2, str(2**128).encode()) + _member(b"\x00", b"\x00"),
        key + good + _member(b"\xff" * 9 + b"\x01", None),
        _field(1, b"\xff") + good,
        (key + good)[:-1],
        key,
        b"",
    )
    return (*(_MAGIC + message + md5(message).digest() for message in messages), _MAGIC + key + bytes(16), _MAGIC)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _member(key: bytes, hash_key: bytes | None) -> bytes:
    return _field(3, b"\x08" + key + (b"" if hash_key is None else b"\x10" + hash_key) + _field(3, b"{}"))
