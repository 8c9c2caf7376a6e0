"""The replay: every event once and in order, every fault reported, none of them in the way."""

from __future__ import annotations

import time

from clickstream.errors import TooLarge
from clickstream.events import AnyEvent, PageView
from clickstream.load.driving.pace import Pace
from clickstream.load.replay.formats import Fault, Line
from clickstream.load.replay.replayer import Tally, replay

T0 = 1_700_000_000_000


class Stream:
    """Takes everything but what is marked as too large; remembers when."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float]] = []

    def put(self, event: AnyEvent) -> None:
        if event.event_id == "huge":
            raise TooLarge("over the limit")
        self.taken.append((event.event_id, time.monotonic()))


def _line(number: int, event_id: str, at_ms: int = T0) -> Line:
    return Line(number, PageView(event_id=event_id, user_id="u", session_id="s", occurred_at=at_ms))


def test_faults_and_refusals_are_reported_by_line_and_the_rest_is_sent() -> None:
    stream, faults, counts = Stream(), list[Fault](), list[int]()
    entries: list[Line | Fault] = [
        _line(1, "a"),
        Fault(line=2, path="$.type", reason="?"),
        _line(3, "huge"),
        _line(4, "b"),
        Fault(line=5, path="$", reason="cut", tail=True),
    ]

    tally = replay(entries, stream, Pace(), on_fault=faults.append, on_sent=lambda line: counts.append(line.number))

    assert [event_id for event_id, _ in stream.taken] == ["a", "b"]
    assert tally == Tally(sent=2, rejected=2, cut_tail=True)
    assert [(fault.line, fault.reason) for fault in faults] == [(2, "?"), (3, "over the limit"), (5, "cut")]
    assert counts == [1, 4]


def test_a_pace_keeps_the_original_gaps_and_late_events_go_at_once() -> None:
    stream = Stream()
    entries = [_line(1, "a"), _line(2, "b", T0 + 100_000), _line(3, "late", T0 - 5_000), _line(4, "c", T0 + 100_000)]

    replay(entries, stream, Pace(1_000), on_fault=lambda _fault: None, on_sent=lambda _sent: None)

    (_, first), (_, second), (_, late), (_, last) = stream.taken
    assert second - first >= 0.1
    # not a measure of speed: waiting for its own time once more would take another tenth of a second
    assert max(late, last) - second < 0.1
