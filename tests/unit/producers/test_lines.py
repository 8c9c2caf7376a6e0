"""One bounded reader of files: numbers, reasons, compression."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
import zstandard
from click.testing import CliRunner

from clickstream.errors import InvalidEvent, Missing, Rejected, Undecodable, UserMistake
from clickstream.events import Login
from clickstream.producers import lines
from clickstream.producers.commands import produce
from clickstream.producers.door import Entered

NOW = 1_764_000_000_000
GOOD = b'{"type":"login","event_id":"1","user_id":"u","session_id":"s","occurred_at":1764000000000,"new_field":1}'
PACKED: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zstandard.compress]


def _all(path: Path) -> list[Any]:
    with lines.opened(str(path)) as source:
        return [entered for _, entered in lines.read(source.lines, lambda: "new", lambda: NOW)]


def test_lines_keep_their_numbers_and_say_what_is_wrong() -> None:
    text = b"\n".join([b"\xef\xbb\xbf" + GOOD + b"\r", b"", b"  ", b"{", GOOD.replace(b'"u"', b"7")])
    (first, good), (fourth, broken), (fifth, wrong) = lines.read(io.BytesIO(text), lambda: "new", lambda: NOW)
    assert isinstance(good, Entered)
    assert (first, good.data, type(good.event)) == (1, GOOD, Login)
    assert (fourth, type(broken)) == (4, Undecodable)
    assert fifth == 5
    assert isinstance(wrong, InvalidEvent)
    assert wrong.path == "$.user_id"


def test_a_line_is_completed_and_keeps_what_no_type_declares_for_those_that_will() -> None:
    bare = GOOD.replace(b'"event_id":"1",', b"").replace(b',"occurred_at":1764000000000', b"")
    (_, good), (_, completed) = lines.read(io.BytesIO(GOOD + b"\n" + bare), lambda: "new", lambda: NOW)
    assert isinstance(good, Entered)
    assert isinstance(completed, Entered)
    assert (good.data, good.assigned, good.not_kept) == (GOOD, {}, ("$.new_field",))
    assert (completed.assigned, completed.not_kept) == ({"event_id": "new", "occurred_at": NOW}, ("$.new_field",))
    assert msgspec.json.decode(completed.data) == msgspec.json.decode(GOOD) | completed.assigned


def test_a_field_that_is_missing_and_may_be_there_misspelt_is_told() -> None:
    text = b"\n".join([GOOD.replace(b"user_id", b"userId"), GOOD.replace(b'"user_id":"u",', b"")])
    (_, misspelt), (_, missing) = lines.read(io.BytesIO(text), lambda: "new", lambda: NOW)
    assert isinstance(misspelt, InvalidEvent)
    assert misspelt.reason == "Object missing required field `user_id`: is it userId?"
    assert isinstance(missing, InvalidEvent)
    assert "is it" not in missing.reason


def test_a_time_under_a_misspelt_name_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(GOOD.replace(b"occurred_at", b"occured_at") + b"\n" + GOOD)
    told = CliRunner().invoke(produce, [str(path), "--dry-run"]).stderr
    assert "did you mean occurred_at by occured_at?" in told
    assert "by new_field" not in told


@pytest.mark.parametrize("pack", PACKED)
@pytest.mark.parametrize("name", ["plain.ndjson", "packed.ndjson.gz"])
def test_compression_is_told_by_content_and_never_by_name(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / name
    path.write_bytes(pack((GOOD + b"\n") * 5_000) + pack(GOOD))
    with lines.opened(str(path)) as source:
        entered: list[Any] = list(lines.read(source.lines, lambda: "new", lambda: NOW))
        assert [event.data for _, event in entered] == [GOOD] * 5_001
        assert source.size == source.bytes_read() == path.stat().st_size


@pytest.mark.parametrize("pack", PACKED[1:])
@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[: len(data) // 2] + bytes(99)])
def test_a_damaged_file_says_so_after_what_could_be_read(
    tmp_path: Path, pack: Callable[[bytes], bytes], damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(pack((GOOD + b"\n") * 1_000) + damage(pack(GOOD * 100)))

    *before, last = _all(path)

    assert [line.data for line in before[:1_000]] == [GOOD] * 1_000
    assert isinstance(last, Rejected)
    assert "damaged or cut" in last.reason


@pytest.mark.parametrize("pack", PACKED)
def test_an_endless_line_is_one_fault_in_bounded_memory(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "endless"
    path.write_bytes(pack(bytes(40_000_000) + b"\n" + GOOD))
    tracemalloc.start()
    try:
        endless, good = _all(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(endless, Undecodable)
    assert "1,048,576 bytes" in endless.reason
    assert good.data == GOOD
    assert most < 30_000_000


def test_a_pipe_has_no_size_and_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=path.write_bytes, args=[GOOD])
    writer.start()
    with lines.opened(str(path)) as source:
        entered: list[Any] = list(lines.read(source.lines, lambda: "new", lambda: NOW))
        assert [event.data for _, event in entered] == [GOOD]
        assert (source.size, source.bytes_read()) == (None, 0)
    writer.join()


def test_stdin_may_be_packed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(GOOD + b"\n")))))

    assert [line.data for line in _all(Path("-"))] == [GOOD]


@pytest.mark.parametrize("pack", PACKED)
def test_a_pipe_may_begin_with_small_pieces(monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, (packed := pack(GOOD))[:1])

    def write() -> None:
        time.sleep(0.05)
        with os.fdopen(theirs, "wb") as pipe:
            pipe.write(packed[1:])

    writer = Thread(target=write)
    writer.start()
    with os.fdopen(ours) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        assert [line.data for line in _all(Path("-"))] == [GOOD]
    writer.join()


@pytest.mark.parametrize(
    ("pack", "what"),
    [
        (lambda text: b"PK\x03\x04" + text, "a zip file"),
        (bz2.compress, "a bzip2 file"),
        (lambda text: text.decode().encode("utf-16"), "UTF-16"),
        (lambda text: b"\xef\xbb\xbf[" + text + b"]", "a JSON array"),
    ],
)
def test_what_has_no_lines_is_refused_once(tmp_path: Path, pack: Callable[[bytes], bytes], what: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(GOOD))
    with pytest.raises(UserMistake, match=what) as refused:
        _all(path)
    assert "one event a line" in refused.value.hint


@pytest.mark.parametrize("path", ["/no/such/file", "/", ""])
def test_what_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(Missing, match=f"cannot read {path!r}"), lines.opened(path):
        pass
