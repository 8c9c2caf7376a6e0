"""Files become events lazily; what is no event is reported in its place and the rest goes on."""

from __future__ import annotations

import io
import json
from codecs import BOM_UTF8

import pytest

from clickstream.events import PageView, Search
from clickstream.load.replay import formats
from clickstream.load.replay.formats import Fault, Line
from clickstream.load.replay.replayer import Account
from clickstream.load.verdict import derivation, oracle
from clickstream.load.verdict.send_log import Entry
from clickstream.producers import lines

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


@pytest.mark.parametrize("given", ['"event_id":"e1",', ',"occurred_at":1700000000000'])
def test_a_line_that_only_a_door_would_complete_is_told_so(given: str) -> None:
    (fault,) = _read(GOOD.replace(given.encode(), b"") + b"\n")

    assert isinstance(fault, Fault)
    assert fault.reason.endswith(f"({formats.COMPLETE})")


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
    fault, good = _read(b"x" * (3 * lines.MAX_LINE_BYTES) + b"\n" + GOOD + b"\n")

    assert isinstance(fault, Fault)
    assert fault.line == 1
    assert isinstance(good, Line)
    assert good.number == 2


def test_a_line_of_exactly_the_limit_is_read_whole() -> None:
    padded = GOOD + b" " * (lines.MAX_LINE_BYTES - len(GOOD) - 1) + b"\n"

    entries = _read(padded + GOOD + b"\n")

    assert [type(entry) for entry in entries] == [Line, Line]


def test_what_every_reader_would_dead_letter_is_a_fault_here() -> None:
    (fault,) = _read(GOOD.replace(b"1700000000000", b"4000000000000"))

    assert isinstance(fault, Fault)
    assert (fault.path, fault.reason) == ("$.occurred_at", "occurred in the future")


_VIEW = {"type": "product_view", "user_id": "u1", "session_id": "s1", "product_id": "p"}
_OLD = {
    "type": "purchase", "schema_version": 1, "order_id": "o", "items": [{"sku": "p"}], "amount": "1200", "currency": "JPY"
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "refused_at"),
    [
        (_OLD, []),
        ({"occurred_at": 1_700_003_720_000}, []),
        (_OLD | {"currency": "usd"}, ["$.currency"]),
        ({"user_id": "u" * 300}, ["$.user_id"]),
        ({"schema_version": 99}, ["$.schema_version"]),
        ({"product_id": "p-\ud83d"}, ["$"]),
        ({"occurred_at": 10**30}, ["$.occurred_at"]),
    ],
)
def test_the_oracle_has_exactly_what_is_sent(changes: dict[str, object], refused_at: list[str]) -> None:
    first = _VIEW | {"event_id": "first", "occurred_at": 1_700_000_000_000}
    second = first | {"event_id": "second"} | changes
    entries = _read(BOM_UTF8 + b"".join(json.dumps(fields).encode() + b"\n" for fields in (first, second)))
    sent = [entry for entry in entries if isinstance(entry, Line)]
    account = Account(io.BytesIO(), "ndjson")
    for line in sent:
        account.add(line, 1)

    assert [entry.path for entry in entries if isinstance(entry, Fault)] == refused_at
    assert len(sent) == 2 - len(refused_at)
    assert oracle.aggregate(account.frame()) == derivation.windows([Entry(1, line.event) for line in sent])


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
