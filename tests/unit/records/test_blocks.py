"""One record's data, whichever of its kinds it is; what lies outside of the format has one outcome: it cannot be read."""

import gzip
import io
from collections.abc import Callable
from hashlib import sha512

import pytest
import zstandard

from clickstream.errors import Undecodable
from clickstream.records.blocks import MOST_BYTES, MOST_LINES, is_compressed, lines, pack, unpack
from clickstream.settings import Compression

EVENTS = [b'{"event_id":"%d","user_id":"someone","type":"page_view"}' % n for n in range(200)]
COMPRESSIONS: list[Compression] = ["zstd", "gzip", "ndjson"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_was_packed_is_read(compression: Compression) -> None:
    packed = pack(EVENTS, compression)
    assert is_compressed(packed) is (compression != "ndjson")
    assert lines(unpack(packed)) == list(enumerate(EVENTS))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_single_event_stays_as_it_is(compression: Compression) -> None:
    assert pack(EVENTS[:1], compression) == EVENTS[0]


def test_nothing_is_compressed_that_does_not_shrink() -> None:
    noise = [sha512(b"%d" % n).digest().replace(b"\n", b"") for n in range(20)]
    assert pack(noise, "zstd") == pack(noise, "gzip") == b"\n".join((*noise, b""))


@pytest.mark.parametrize("packed", [pack(EVENTS, "zstd"), pack(EVENTS, "gzip")], ids=["zstd", "gzip"])
@pytest.mark.parametrize("left", [4, 12, 50, -9, -1])
def test_a_block_that_is_cut_short_cannot_be_read(packed: bytes, left: int) -> None:
    with pytest.raises(Undecodable):
        unpack(packed[:left])


@pytest.mark.parametrize("packed", [pack(EVENTS, "zstd"), pack(EVENTS, "gzip")], ids=["zstd", "gzip"])
def test_a_damaged_block_is_noticed_wherever_it_is_damaged(packed: bytes) -> None:
    for place in range(12, len(packed), 7):
        damaged = bytearray(packed)
        damaged[place] ^= 0x10
        try:
            text = unpack(bytes(damaged))
        except Undecodable:
            continue
        assert text == unpack(packed), f"byte {place}"


@pytest.mark.parametrize("packed", [pack(EVENTS, "zstd"), pack(EVENTS, "gzip")], ids=["zstd", "gzip"])
def test_a_block_with_something_behind_it_cannot_be_read(packed: bytes) -> None:
    for more in (b"\n", packed):
        with pytest.raises(Undecodable):
            unpack(packed + more)


def _streamed_zstd(data: bytes) -> bytes:
    """As a shell pipe writes it: the frame does not say how large its content is."""
    out = io.BytesIO()
    with zstandard.ZstdCompressor(write_content_size=False).stream_writer(out, closefd=False) as writer:
        writer.write(data)
    return out.getvalue()


@pytest.mark.parametrize("bomb", [zstandard.compress, gzip.compress, _streamed_zstd], ids=["zstd", "gzip", "zstd-unsized"])
def test_a_bomb_is_not_believed(bomb: Callable[[bytes], bytes]) -> None:
    assert unpack(bomb(b" " * MOST_BYTES)) == b" " * MOST_BYTES
    with pytest.raises(Undecodable):
        unpack(bomb(b" " * (MOST_BYTES + 1)))


def test_a_header_that_claims_too_much_allocates_nothing() -> None:
    frame = bytearray(zstandard.ZstdCompressor(write_content_size=True).compress(b"x" * 70_000))
    frame[5:9] = (1 << 31).to_bytes(4, "little")  # its content size, of four bytes
    with pytest.raises(Undecodable):
        unpack(bytes(frame))


def test_more_lines_than_a_record_may_have_cannot_be_read() -> None:
    assert unpack(b"1\n" * MOST_LINES)
    with pytest.raises(Undecodable):
        unpack(b"1\n" * (MOST_LINES + 1))


def test_blank_lines_count_as_places_and_hold_nothing() -> None:
    assert lines(b"\n1\r\n \n2") == [(1, b"1\r"), (3, b"2")]
    assert lines(b" \n") == [(0, b" \n")]
    assert lines(b"") == [(0, b"")]
