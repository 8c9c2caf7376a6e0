"""Records that begin as compressed blocks, or have too many lines, and that no reader can take apart. Pure."""

from __future__ import annotations

import gzip

import zstandard

_EVENTS = b'{"type":"login"}\n' * 50
_BOMB = b"\n" * 20_000_000


def unreadable_blocks() -> tuple[bytes, ...]:
    """All of them: each is one dead letter, whatever it would be if it were believed."""
    zipped, packed = gzip.compress(_EVENTS, mtime=0), zstandard.compress(_EVENTS)
    return (
        zipped[:-3],
        packed[:-3],
        zipped + packed,
        packed + zipped,
        gzip.compress(_BOMB, 1, mtime=0),
        zstandard.compress(_BOMB),
        # claims two exabytes
        packed[:4] + b"\xe4" + (1 << 61).to_bytes(8, "little") + packed[6:],
        zipped[:20] + bytes(8) + zipped[28:],
        zipped[:2],
        packed[:4],
        b"1\n" * 20_000,
        b"\n" * 20,
    )
