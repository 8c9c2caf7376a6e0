"""NDJSON input: numbers, reasons, compression."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from clickstream.errors import InvalidEvent, Missing, Undecodable, UserMistake
from clickstream.events import Login
from clickstream.producers import lines

NOW = 1_764_000_000_000
GOOD = b'{"type":"login","event_id":"1","user_id":"u","session_id":"s","occurred_at":1764000000000,"new_field":1}'


def test_lines_keep_their_numbers_and_say_what_is_wrong() -> None:
    good, broken, wrong = lines.read(
        [GOOD + b"\r\n", b"\n", b"  \n", b"{\n", GOOD.replace(b'"u"', b"7")], lambda: "new", lambda: NOW
    )
    assert (good.number, good.data, type(good.event)) == (1, GOOD, Login)
    assert (broken.number, type(broken.event)) == (4, Undecodable)
    assert wrong.number == 5
    assert isinstance(wrong.event, InvalidEvent)
    assert wrong.event.path == "$.user_id"


def test_a_line_is_completed_and_keeps_what_no_type_declares_for_those_that_will() -> None:
    bare = GOOD.replace(b'"event_id":"1",', b"").replace(b',"occurred_at":1764000000000', b"")
    good, completed = lines.read([GOOD, bare], lambda: "new", lambda: NOW)
    assert (good.data, good.assigned, good.not_kept) == (GOOD, {}, ["$.new_field"])
    assert (completed.assigned, completed.not_kept) == ({"event_id": "new", "occurred_at": NOW}, ["$.new_field"])
    assert msgspec.json.decode(completed.data) == msgspec.json.decode(GOOD) | completed.assigned


@pytest.mark.parametrize("name", ["plain.ndjson", "packed.ndjson.gz"])
def test_a_file_is_opened_by_its_suffix(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(GOOD) if name.endswith(".gz") else GOOD)
    with lines.opened(str(path)) as source:
        assert [line.data for line in lines.read(source.lines, lambda: "new", lambda: NOW)] == [GOOD]
        assert source.size == source.consumed.tell() == path.stat().st_size


def test_a_file_that_is_not_there_is_missing() -> None:
    with pytest.raises(Missing), lines.opened("/no/such/file"):
        pass


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(GOOD * 100)[:-10], gzip.compress(GOOD)[:20] + bytes(99)])
def test_a_broken_gzip_file_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(content)

    def read_all() -> None:
        with lines.opened(str(path)) as source:
            list(lines.read(source.lines, lambda: "new", lambda: NOW))

    with pytest.raises(UserMistake, match="gzip"):
        read_all()
