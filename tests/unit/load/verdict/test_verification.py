"""Verification waits for completeness and no longer, and names what is lost, duplicated, wrong or stuck, per application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hdrh.histogram import HdrHistogram

from clickstream.load.verdict import verification
from clickstream.load.verdict.comparers.compared import Compared
from clickstream.load.verdict.progress import Counted, ShardProgress
from clickstream.load.verdict.report import Report, text
from clickstream.load.verdict.verification import Expectation, Subject, Timer, verify

EXPECTED = Expectation(sent=11, put=11, events=9, dead_letters=1, flushed_ms=1_000)
EXACT = Compared(compared=4, figures={"hit_rate": 0.5})


def _histogram(*values: int) -> str:
    histogram = HdrHistogram(1, 3_600_000, 2)
    for value in values:
        histogram.record_value(value)
    encoded: bytes = histogram.encode()
    return encoded.decode()


HALVES = ("0" * 32 + "-7" + "f" * 31, "8" + "0" * 31 + "-" + "f" * 32)
DONE = [
    ShardProgress(
        shard="0",
        events=5,
        duplicates=1,
        behind_ms=0,
        updated_at=1_001,
        hash_range=HALVES[0],
        whole_to=7_000,
        latency=_histogram(100, 100),
    ),
    ShardProgress(
        shard="1", events=4, dead_letters=1, updated_at=1_002, hash_range=HALVES[1], whole_to=5_000, latency=_histogram(900)
    ),
    ShardProgress(shard="2", behind_ms=7, ended=True),
    ShardProgress(shard="3", updated_at=1_001),
]


class Shop:
    """Stores whose progress moves on with each look, and a clock that moves on with each sleep."""

    def __init__(self, looks: Sequence[Sequence[ShardProgress]], answers: Sequence[Compared] = (EXACT,)) -> None:
        self._looks, self._answers = list(looks), list(answers)
        self.now = 0.0

    def look(self) -> Sequence[ShardProgress]:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def compare(self) -> Compared:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def verify(
        self,
        expected: Expectation = EXPECTED,
        before: Counted = Counted(),  # noqa: B008  a frozen value
        letters: Compared | None = None,
    ) -> Report:
        subject = Subject(look=self.look, compare=self.compare, before=before)
        timer = Timer(clock=lambda: self.now, sleep=self.sleep)
        queue = None if letters is None else lambda: letters
        return verify(expected, {"analytics": subject}, queue, stall_s=5, on_progress=lambda _done: None, timer=timer)


def _changed(place: int, **changes: Any) -> list[ShardProgress]:
    shards = list(DONE)
    shards[place] = msgspec.structs.replace(shards[place], **changes)
    return shards


def test_everything_there_is_exact_at_once() -> None:
    shop = Shop([DONE])

    report = shop.verify()

    assert report.ok
    assert shop.now == 0
    assert (report.processed, report.lost, report.duplicated, report.dead_lettered) == (9, 0, 0, 1)
    assert (report.p50_ms, report.windows, report.wrong) == (100, 4, 0)
    assert 890 <= report.p99_ms <= 910
    assert report.complete_to == "1970-01-01T00:00:05.000Z"
    assert report.applications["analytics"].figures == {"hit_rate": 0.5}
    assert text(report).endswith("\nequal")


def test_it_waits_for_shards_that_are_behind_or_have_not_spoken_since_the_flush() -> None:
    looks = [_changed(0, behind_ms=3), _changed(1, updated_at=1_000), _changed(1, events=3), DONE]

    assert Shop(looks).verify().ok


def test_it_waits_a_little_for_the_word_to_when_all_is_complete() -> None:
    silent = [msgspec.structs.replace(shard, whole_to=0) for shard in DONE]
    shop = Shop([silent, silent, DONE])
    assert shop.verify().complete_to == "1970-01-01T00:00:05.000Z"

    never = Shop([silent])
    report = never.verify()
    assert report.ok
    assert report.complete_to is None
    assert never.now < 15


def test_events_that_came_twice_do_not_stand_in_for_those_still_on_their_way() -> None:
    """A reshard's second puts make the number of records whole too early."""
    assert Shop([_changed(0, events=3, duplicates=3), DONE]).verify().ok


def test_slow_progress_is_waited_for_but_a_standstill_is_not() -> None:
    slow = [[ShardProgress(shard="0", events=count, updated_at=2_000)] for count in range(9) for _ in range(15)]
    shop = Shop([*slow, DONE])
    assert shop.verify().ok
    assert shop.now > 5

    stuck = Shop([slow[-1]])
    report = stuck.verify()
    assert not report.ok
    assert stuck.now < 10
    assert report.lost == 1
    assert "analytics stands still at 8 of 11" in report.problems[0]


def test_an_answer_may_lag_for_a_moment() -> None:
    assert Shop([DONE], [Compared(lost=1), Compared(wrong=1), EXACT]).verify().ok


def test_what_is_lost_duplicated_or_dead_lettered_is_named_even_when_the_answers_look_right() -> None:
    duplicated = Shop([_changed(0, events=6)]).verify()
    lost = Shop([_changed(0, events=4, duplicates=2)]).verify()
    letters = Shop([_changed(1, dead_letters=2)]).verify()

    assert (duplicated.ok, duplicated.duplicated) == (False, 1)
    assert (lost.ok, lost.lost) == (False, 1)
    assert (letters.ok, letters.dead_lettered) == (False, 2)
    assert "dead-lettered" in letters.problems[0]
    assert text(lost).endswith("NOT equal")


def test_what_others_sent_meanwhile_may_be_processed_too_and_nothing_may_be_missing() -> None:
    expected = msgspec.structs.replace(EXPECTED, others=2)

    more, most = Shop([_changed(0, events=7, dead_letters=1)]).verify(expected), Shop([_changed(0, events=8)]).verify(expected)
    fewer = Shop([_changed(0, events=4, duplicates=2)]).verify(expected)

    assert (more.ok, more.duplicated, more.others) == (True, 0, 2)
    assert "others sent 2 events meanwhile" in text(more)
    assert (most.ok, most.duplicated) == (False, 1)
    assert (fewer.ok, fewer.lost) == (False, 1)


def test_a_comparison_that_finds_something_fails_the_report_and_an_event_lost_before_is_counted_once() -> None:
    wrong = Shop([DONE], [Compared(wrong=2, late=5, problems=["fraud swapped visitors"])]).verify()
    both = Shop([_changed(0, events=4, duplicates=2)], [Compared(lost=1, problems=["one is lost"])]).verify()

    assert (wrong.ok, wrong.wrong, wrong.late) == (False, 2, 5)
    assert "fraud swapped visitors" in wrong.problems
    assert both.lost == 1


def test_late_answers_alone_are_told_and_not_judged() -> None:
    report = Shop([DONE], [Compared(late=3, compared=9)]).verify()

    assert report.ok
    assert report.late == 3


def test_the_queue_belongs_to_the_verdict() -> None:
    assert Shop([DONE]).verify(letters=Compared(figures={"letters": 3})).letters == {"letters": 3}
    report = Shop([DONE]).verify(letters=Compared(lost=1, problems=["a bad record has no dead letter"]))

    assert (report.ok, report.lost) == (False, 1)


def test_a_record_that_was_never_acknowledged_or_not_refused_is_a_problem_even_if_all_else_is_right() -> None:
    unacknowledged = Shop([DONE]).verify(msgspec.structs.replace(EXPECTED, sent=12))
    accepted = Shop([DONE]).verify(msgspec.structs.replace(EXPECTED, to_refuse=1))

    assert not unacknowledged.ok
    assert "12 records were sent, 11 acknowledged" in unacknowledged.problems[0]
    assert not accepted.ok
    assert "must be refused" in accepted.problems[0]


def test_what_was_there_before_does_not_count() -> None:
    before = Counted(events=4, duplicates=1, dead_letters=0)

    assert Shop([DONE]).verify(msgspec.structs.replace(EXPECTED, put=6, sent=6, events=5), before).ok


def test_all_applications_must_be_complete() -> None:
    shop, other = Shop([DONE]), Shop([_changed(0, events=4), _changed(0, events=4), DONE])
    subjects = {
        "analytics": Subject(look=shop.look, compare=shop.compare),
        "fraud": Subject(look=other.look, compare=other.compare),
    }

    report = verify(
        EXPECTED, subjects, stall_s=5, on_progress=lambda _done: None, timer=Timer(clock=lambda: shop.now, sleep=shop.sleep)
    )

    assert report.ok
    assert report.processed == 9
    assert set(report.applications) == {"analytics", "fraud"}


def test_where_nothing_can_be_compared_the_verdict_is_no_and_says_why() -> None:
    nothing = Shop([DONE], [Compared(left_out={"windows of others": 3})]).verify()
    letters_alone = verify(EXPECTED, {}, Compared, stall_s=5, on_progress=lambda _done: None)

    assert not nothing.ok
    assert nothing.problems == ["analytics has nothing that could be compared: 3 windows of others"]
    assert "not compared: 3 windows of others" in text(nothing)
    assert not letters_alone.ok
    assert letters_alone.problems == ["dead-letters has nothing that could be compared: nothing was sent for it"]
    assert Shop([DONE]).verify(letters=Compared()).ok, "beside an application that was compared"


def test_what_is_awaited_is_said_and_the_movement_of_others_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_BEAT_S", 0.0)
    stuck = Shop([_changed(0, events=4)])
    others = iter(range(10**6))
    busy = Subject(look=lambda: _changed(0, events=5 + next(others)), compare=lambda: EXACT)
    said: list[str] = []
    report = verify(
        EXPECTED,
        {"analytics": Subject(look=stuck.look, compare=stuck.compare), "fraud": busy},
        stall_s=5,
        on_progress=lambda _done: None,
        say=said.append,
        timer=Timer(clock=lambda: stuck.now, sleep=stuck.sleep),
    )
    assert stuck.now < 20
    assert "analytics stands still at 10 of 11 records" in report.problems
    assert said[0].startswith("waiting for analytics (10 of 11) (")
    assert said[-1] == "comparing every answer with what was sent"


def test_a_latency_that_the_histogram_cannot_hold_is_told_as_that() -> None:
    report = Shop([_changed(1, latency=_histogram(3_600_000))]).verify()
    assert "p50 100 ms, p99 an hour or more" in text(report)
