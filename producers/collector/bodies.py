"""From a request's bytes to the bytes of single events, with every limit checked before the bytes are parsed."""

import re
import zlib
from typing import Literal

import msgspec

from clickstream.errors import Rejected, TooLarge, Undecodable

Form = Literal["json", "ndjson"]
#: Content types, without parameters.
FORMS: dict[str, Form] = {"application/json": "json", "application/x-ndjson": "ndjson"}


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may hold."""

    body_bytes: int = 1024 * 1024
    """As it comes over the wire."""
    inflated_bytes: int = 5 * 1024 * 1024
    ratio: int = 100
    """A gzip body inflates to so many times its size; events that differ in their ids alone come to about 40."""
    free_bytes: int = 256 * 1024
    """Whatever the ratio."""
    events: int = 500
    depth: int = 16
    """Nesting of one JSON document; an event in an array needs 4."""


class TooMany(TooLarge):
    """More events than one request may hold."""


def inflate(body: bytes, bounds: Bounds) -> bytes:
    """A gzip body's content. Raises TooLarge as soon as it is over the limit, Undecodable for anything but one member."""
    most = min(bounds.inflated_bytes, max(bounds.free_bytes, bounds.ratio * len(body)))
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = inflater.decompress(body, most + 1)
    except zlib.error as error:
        raise Undecodable(f"not gzip: {error}") from error
    if len(content) > most:
        raise TooLarge(f"more than {most:,} bytes after decompression")
    if not inflater.eof or inflater.unused_data:
        raise Undecodable("not one whole gzip member")
    return content


def split(body: bytes, form: Form, bounds: Bounds) -> list[bytes | Rejected]:
    """The documents of a body, in order.

    Raises Undecodable when the body as a whole cannot be read, TooMany and TooLarge when it is over a limit. In NDJSON a line
    that is nested too deeply is rejected alone; whether a document is an event is not looked at here.
    """
    if form == "ndjson":
        # not splitlines(), which also breaks at characters that JSON allows inside of text
        lines = [line for raw in body.split(b"\n") if (line := raw.strip())]
        _count(len(lines), bounds)
        return [refusal if (refusal := _too_deep(line, bounds.depth)) else line for line in lines]
    start = body.lstrip(b" \t\r\n")[:1]
    if start not in (b"{", b"["):
        raise Undecodable("the body is neither a JSON object nor a JSON array")
    if (refusal := _too_deep(body, bounds.depth)) is not None:
        raise refusal
    if start == b"{":
        return [body]
    try:
        documents = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Undecodable(f"not JSON: {error}") from error
    _count(len(documents), bounds)
    return [bytes(document) for document in documents]


def _count(events: int, bounds: Bounds) -> None:
    if events == 0:
        raise Undecodable("no events in the body")
    if events > bounds.events:
        raise TooMany(f"{events} events in one request; the limit is {bounds.events}")


_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def _too_deep(document: bytes, depth: int) -> Undecodable | None:
    """Why a document is not parsed; the parser itself would recurse as deep as the document says."""
    if document.count(b"[") + document.count(b"{") <= depth:
        return None
    if b"\\" in document:
        document = _ESCAPE.sub(b"", document)
    # without escapes every second piece between quotes is text, whose brackets do not count
    brackets = b"".join(document.split(b'"')[::2]).translate(_ONE_KIND, _ALL_BUT_BRACKETS)
    for _ in range(depth):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    if brackets:
        return Undecodable(f"nested deeper than {depth}, or its brackets do not match")
    return None
