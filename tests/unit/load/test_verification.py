"""Verification waits for completeness and no longer, and names what is lost, duplicated, wrong or stuck."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from hdrh.histogram import HdrHistogram

from load.aggregates import Totals, Window
from load.progress import Counted, ShardProgress
from load.verification import Expectation, Report, Stores, Timer, told, verify

WINDOW = Window("minute", 1_700_000_040_000)
TOTALS = Totals(events={"login": 9}, uniques=9)
EXPECTED = Expectation(sent=11, put=11, events=9, dead_letters=1, windows={WINDOW: TOTALS}, flushed_ms=1_000)


def _histogram(*values: int) -> str:
    histogram = HdrHistogram(1, 3_600_000, 2)
    for value in values:
        histogram.record_value(value)
    encoded: bytes = histogram.encode()
    return encoded.decode()


DONE = [
    ShardProgress(
        shard="0", events=5, duplicates=1, behind_ms=0, updated_at=1_001, watermark_ms=7_000, latency=_histogram(100, 100)
    ),
    ShardProgress(shard="1", events=4, dead_letters=1, updated_at=1_002, watermark_ms=5_000, latency=_histogram(900)),
    ShardProgress(shard="2", behind_ms=7, ended=True),
    ShardProgress(shard="3", updated_at=1_001),
]


class Shop:
    """A store whose progress moves on with each look, and a clock that moves on with each sleep."""

    def __init__(self, looks: Sequence[Sequence[ShardProgress]], answers: Sequence[Mapping[Window, Totals]]) -> None:
        self._looks, self._answers = list(looks), list(answers)
        self.now = 0.0

    def look(self) -> Sequence[ShardProgress]:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def ask(self, _windows: Iterable[Window]) -> Mapping[Window, Totals]:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def verify(self, expected: Expectation = EXPECTED) -> Report:
        stores, timer = Stores(look=self.look, ask=self.ask), Timer(clock=lambda: self.now, sleep=self.sleep)
        return verify(expected, stores, stall_s=5, on_progress=lambda _done: None, timer=timer)


def _changed(place: int, **changes: int) -> list[ShardProgress]:
    shards = list(DONE)
    shards[place] = msgspec.structs.replace(shards[place], **changes)
    return shards


def test_everything_there_is_exact_at_once() -> None:
    shop = Shop([DONE], [{WINDOW: TOTALS}])

    report = shop.verify()

    assert report.ok
    assert shop.now == 0
    assert (report.processed, report.lost, report.duplicated, report.dead_lettered) == (9, 0, 0, 1)
    assert (report.p50_ms, report.windows, report.wrong) == (100, 1, 0)
    assert 890 <= report.p99_ms <= 910
    assert report.complete_to == "1970-01-01T00:00:05.000Z"
    assert told(report).endswith("\nequal")


def test_it_waits_for_shards_that_are_behind_or_have_not_spoken_since_the_flush() -> None:
    looks = [_changed(0, behind_ms=3), _changed(1, updated_at=1_000), _changed(1, events=3), DONE]

    report = Shop(looks, [{WINDOW: TOTALS}]).verify()

    assert report.ok


def test_events_that_came_twice_do_not_stand_in_for_those_still_on_their_way() -> None:
    """A reshard's second puts make the number of records whole too early."""
    report = Shop([_changed(0, events=3, duplicates=3), DONE], [{WINDOW: TOTALS}]).verify()

    assert report.ok


def test_slow_progress_is_waited_for_but_a_standstill_is_not() -> None:
    slow = [[ShardProgress(shard="0", events=count, updated_at=2_000)] for count in range(9) for _ in range(15)]
    shop = Shop([*slow, DONE], [{WINDOW: TOTALS}])
    assert shop.verify().ok
    assert shop.now > 5

    stuck = Shop([slow[-1]], [{WINDOW: TOTALS}])
    report = stuck.verify()
    assert not report.ok
    assert stuck.now < 10
    assert report.lost == 1
    assert "stands still at 8 of 11" in report.problems[0]


def test_an_answer_may_lag_for_a_moment() -> None:
    assert Shop([DONE], [{}, {}, {WINDOW: TOTALS}]).verify().ok


def test_lost_duplicated_dead_lettered_and_wrong_are_named() -> None:
    wrong = msgspec.structs.replace(TOTALS, events={"login": 10})

    duplicated = Shop([_changed(0, events=6)], [{WINDOW: wrong}]).verify()
    lost = Shop([_changed(0, events=4, duplicates=2)], [{WINDOW: TOTALS}]).verify()
    letters = Shop([_changed(1, dead_letters=2)], [{WINDOW: TOTALS}]).verify()

    assert (duplicated.ok, duplicated.duplicated, duplicated.wrong) == (False, 1, 1)
    assert "login" in duplicated.problems[-1]
    assert (lost.ok, lost.lost) == (False, 1)
    assert (letters.ok, letters.dead_lettered) == (False, 2)
    assert "dead-lettered" in letters.problems[0]
    assert told(lost).endswith("NOT equal")


def test_a_record_that_kinesis_never_acknowledged_is_a_problem_even_if_all_else_is_right() -> None:
    report = Shop([DONE], [{WINDOW: TOTALS}]).verify(msgspec.structs.replace(EXPECTED, sent=12))

    assert not report.ok
    assert "12 records were sent, 11 acknowledged" in report.problems[0]


def test_what_was_there_before_does_not_count_and_foreign_windows_are_not_compared() -> None:
    before = Counted(events=4, duplicates=1, dead_letters=0)
    expected = msgspec.structs.replace(EXPECTED, before=before, put=6, sent=6, events=5, foreign=frozenset([WINDOW]))

    report = Shop([DONE], [{}]).verify(expected)

    assert report.ok
    assert report.windows == 0
