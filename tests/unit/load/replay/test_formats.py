"""Files become events lazily; what is no event is reported in its place and the rest goes on."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest

from clickstream.errors import Missing
from clickstream.events import PageView, Search
from clickstream.load.replay import formats
from clickstream.load.replay.formats import Fault, Line

GOOD = b'{"type":"search","event_id":"e1","user_id":"u1","session_id":"s1","occurred_at":1700000000000,"query":"tea"}'


def _read(text: bytes, file_format: str = "ndjson") -> list[Line | Fault]:
    return list(formats.read(io.BytesIO(text), formats.FORMATS[file_format]()))


def test_a_malformed_line_is_reported_with_number_and_path_and_the_rest_goes_on() -> None:
    wrong = GOOD.replace(b'"occurred_at":1700000000000', b'"occurred_at":"now"')

    first, fault, last = _read(GOOD + b"\n" + wrong + b"\n" + GOOD + b"\n")

    assert isinstance(first, Line)
    assert isinstance(first.event, Search)
    assert isinstance(fault, Fault)
    assert (fault.line, fault.path, fault.tail) == (2, "$.occurred_at", False)
    assert "line 2" in str(fault)
    assert isinstance(last, Line)
    assert last.number == 3


def test_blank_lines_count_as_lines_and_are_neither_event_nor_fault() -> None:
    (entry,) = _read(b"\n  \r\n" + GOOD + b"\r\n")

    assert isinstance(entry, Line)
    assert entry.number == 3


def test_a_last_line_without_newline_counts_when_it_is_whole_and_is_a_cut_tail_when_not() -> None:
    whole, cut = _read(GOOD + b"\n" + GOOD), _read(GOOD + b"\n" + GOOD[:40])

    assert [type(entry) for entry in whole] == [Line, Line]
    assert isinstance(cut[1], Fault)
    assert cut[1].tail


def test_an_endless_line_is_one_fault_and_the_next_line_is_read() -> None:
    fault, good = _read(b"x" * (3 * formats.MAX_LINE_BYTES) + b"\n" + GOOD + b"\n")

    assert isinstance(fault, Fault)
    assert fault.line == 1
    assert isinstance(good, Line)
    assert good.number == 2


def test_a_line_of_exactly_the_limit_is_read_whole() -> None:
    padded = GOOD + b" " * (formats.MAX_LINE_BYTES - len(GOOD) - 1) + b"\n"

    entries = _read(padded + GOOD + b"\n")

    assert [type(entry) for entry in entries] == [Line, Line]


def test_gzip_is_known_by_its_bytes_and_a_damaged_one_is_a_fault_after_what_could_be_read(tmp_path: Path) -> None:
    packed = gzip.compress((GOOD + b"\n") * 20_000)
    (tmp_path / "whole.ndjson").write_bytes(packed)
    (tmp_path / "cut.ndjson").write_bytes(packed[: len(packed) - 100])

    with formats.opened(str(tmp_path / "whole.ndjson")) as source:
        assert source.size == len(packed)
        assert sum(isinstance(entry, Line) for entry in formats.read(source.lines, formats.FORMATS["ndjson"]())) == 20_000
        assert source.bytes_read() == len(packed)
    with formats.opened(str(tmp_path / "cut.ndjson")) as source:
        *before, last = formats.read(source.lines, formats.FORMATS["ndjson"]())
    assert before
    assert all(isinstance(entry, Line) for entry in before)
    assert isinstance(last, Fault)
    assert "gzip" in last.reason
    assert not last.tail


def test_stdin_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(GOOD + b"\n")))))

    with formats.opened("-") as source:
        (entry,) = formats.read(source.lines, formats.FORMATS["ndjson"]())

    assert isinstance(entry, Line)
    assert source.size is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="nowhere"), formats.opened(str(tmp_path / "nowhere")):
        pass


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"1,2,3,pv", "$"),
        (b"1,2,3,pv,1511658000,6", "$"),
        (b"1,2,3,look,1511658000", "behavior"),
        (b"1,2,3,pv,15116580", "timestamp"),
        (b"1,2,3,pv,soon", "timestamp"),
        (b",2,3,pv,1511658000", "user"),
        (b"1,x,3,pv,1511658000", "item"),
        (b"1,2,,pv,1511658000", "category"),
        (b"\xff,2,3,pv,1511658000", "$"),
    ],
)
def test_a_wrong_taobao_line_names_its_field(line: bytes, path: str) -> None:
    fault, good = _read(line + b"\n1,2,3,fav,1511658000\n", "taobao")

    assert isinstance(fault, Fault)
    assert fault.path == path
    assert isinstance(good, Line)
    assert isinstance(good.event, PageView)
    assert good.event.url == "/favourites/2"


def test_a_taobao_replay_is_the_same_events_again_and_equal_lines_are_different_events() -> None:
    text = b"1,2,3,pv,1511658000\n1,2,3,pv,1511658000\n"

    assert _read(text, "taobao") == _read(text, "taobao")
    ids = [entry.event.event_id for entry in _read(text, "taobao") if isinstance(entry, Line)]
    assert len(set(ids)) == 2


def test_a_session_ends_with_a_gap_of_more_than_thirty_minutes() -> None:
    times = [1_511_658_000, 1_511_658_000 + 1800, 1_511_658_000 + 3601]
    lines = b"".join(b"7,2,3,pv,%d\n" % at for at in times)

    sessions = [entry.event.session_id for entry in _read(lines, "taobao") if isinstance(entry, Line)]

    assert sessions[0] == sessions[1] != sessions[2]
