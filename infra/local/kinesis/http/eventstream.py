"""Amazon's event-stream framing (``application/vnd.amazon.eventstream``): lengths, headers, payload, two CRCs."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message. All our headers are strings."""
    block = b"".join(
        struct.pack(">B", len(name)) + name + struct.pack(">BH", _STRING, len(value)) + value
        for name, value in ((name.encode(), value.encode()) for name, value in headers.items())
    )
    total = 12 + len(block) + len(payload) + 4
    prelude = struct.pack(">II", total, len(block))
    message = prelude + struct.pack(">I", crc32(prelude)) + block + payload
    return message + struct.pack(">I", crc32(message))


def event(kind: str, content_type: str, payload: bytes) -> bytes:
    """A message that carries an event."""
    return frame({":event-type": kind, ":content-type": content_type, ":message-type": "event"}, payload)


def exception(code: str, content_type: str, payload: bytes) -> bytes:
    """A message that ends the stream with an error."""
    return frame({":exception-type": code, ":content-type": content_type, ":message-type": "exception"}, payload)
