"""A record's data: NDJSON of one or more events, plain or compressed, told apart by its first bytes.

    28 B5 2F FD …   one zstd frame         1F 8B …   one gzip member         anything else: plain

docs/reference/records.md has the format for readers in other languages. What it bounds is bounded on both sides: a writer
makes no larger block, and a reader believes none.
"""

from collections.abc import Sequence

import msgspec
import zstandard
from isal import igzip, isal_zlib
from isal.igzip_lib import IsalError

from clickstream.errors import Undecodable
from clickstream.records.aggregation import is_aggregated
from clickstream.settings import Compression

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_MAGIC = b"\x1f\x8b"
_MAGICS = (ZSTD_MAGIC, GZIP_MAGIC)
#: Of one record; what has more is refused whole, for it cannot be read in bounded memory and time.
MOST_LINES = 10_000
MOST_BYTES = 8 * 1024 * 1024
#: Below it a frame's own bytes outweigh what it saves.
_WORTH_BYTES = 256
_GZIP = 31
#: isal's stubs have it as a value.
_DAMAGED_GZIP: type[Exception] = IsalError  # type: ignore[assignment]

_zstd_reader = zstandard.ZstdDecompressor()
# By measurement: docs/reference/records.md.
_ZSTD_LEVEL = 1
_GZIP_LEVEL = 1


def is_compressed(data: bytes) -> bool:
    return data.startswith(_MAGICS)


def pack(lines: Sequence[bytes], compression: Compression) -> bytes:
    """A record of these events' JSON, one to a line. It is left plain when compressing gains nothing.

    >>> pack([b'{"a":1}', b'{"a":2}'], "ndjson")
    b'{"a":1}\\n{"a":2}\\n'
    """
    text = lines[0] if len(lines) == 1 else b"\n".join((*lines, b""))
    if compression == "ndjson" or len(text) < _WORTH_BYTES:
        return text
    if compression == "zstd":
        # a checksum tells damage from bad events
        packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(text)
    else:
        packed = igzip.compress(text, _GZIP_LEVEL, mtime=0)
    return packed if len(packed) < len(text) else text


def unpack(data: bytes) -> bytes:
    """The record's text. Raises Undecodable for a block that is damaged, cut short or too large to be read."""
    if data.startswith(ZSTD_MAGIC):
        text = _from_zstd(data)
    elif data.startswith(GZIP_MAGIC):
        text = _from_gzip(data)
    else:
        text = data
    if not text and data:
        # a zstd header that says so is believed without a look at the rest, which a person may still save
        raise Undecodable("a block of nothing")
    # a third of the time of `count`, which looks at every byte
    if len(text) - len(text.replace(b"\n", b"")) > MOST_LINES:
        raise Undecodable(f"more than {MOST_LINES:,} lines in one record")
    return text


def holds_several(data: bytes) -> bool:
    """Whether more than one event may stand in a record that came alone: neither in a KPL aggregate's member nor in a broken
    aggregate, which KCL hands on as it is."""
    return data.startswith(_MAGICS) or (b"\n" in data and not is_aggregated(data))


def lines(text: bytes) -> list[tuple[int, bytes]]:
    """(index, line) of each line that is not blank; a text of one event is that event, line breaks and all, with index 0.

    >>> lines(b'{"a":1}\\n\\n{"a":2}\\n')
    [(0, b'{"a":1}'), (2, b'{"a":2}')]
    """
    found = [each for each in enumerate(text.split(b"\n")) if each[1] and not each[1].isspace()]
    return found if len(found) > 1 and not _is_one_document(text) else [(0, text)]


def last_line(text: bytes) -> int:
    """The index of the last of ``lines``.

    >>> last_line(b'{"a":1}\\n\\n{"a":2}\\n')
    2
    """
    return 0 if _is_one_document(text) else text.count(b"\n", 0, len(text.rstrip()))


def events_in(data: bytes) -> list[tuple[int, bytes]]:
    """(index, bytes) of each event of a record that came alone; a block that cannot be read stands for one, as it is."""
    try:
        return lines(unpack(data)) if holds_several(data) else [(0, data)]
    except Undecodable:
        return [(0, data)]


def _is_one_document(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _from_zstd(data: bytes) -> bytes:
    try:
        # a header may claim any size, and what it claims would be allocated
        if zstandard.frame_content_size(data) > MOST_BYTES:
            raise Undecodable(f"a zstd block of more than {MOST_BYTES:,} bytes")
        return _zstd_reader.decompress(data, max_output_size=MOST_BYTES, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Undecodable("a zstd block that is damaged, too large, or not of one frame") from error


def _from_gzip(data: bytes) -> bytes:
    inflating = isal_zlib.decompressobj(_GZIP)
    try:
        text = inflating.decompress(data, MOST_BYTES + 1)
    except _DAMAGED_GZIP as error:
        raise Undecodable("a damaged gzip block") from error
    if len(text) > MOST_BYTES:
        raise Undecodable(f"a gzip block of more than {MOST_BYTES:,} bytes")
    if not inflating.eof or inflating.unused_data:
        raise Undecodable("a gzip block that is cut short, or not of one member")
    return bytes(text)
