"""The archive's files against the shard's log: whatever batches, crashes and zombies, each event is in one file, once."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from clickstream.application import Inheritance
from clickstream.consumers.archive.fold import (
    FEWEST_EVENTS,
    HOUR_MS,
    MOST_HOURS,
    MOST_OLD_HOURS,
    SCATTERED,
    ArchiveFold,
    Part,
)
from clickstream.consumers.archive.names import Name, covered
from clickstream.events import AnyEvent, PageView
from clickstream.records.routing import WHOLE_SPACE

CHUNK = 7


def event(number: int, hour: int) -> AnyEvent:
    return PageView(event_id=f"e{number}", user_id="u", session_id="s", occurred_at=hour * HOUR_MS + number, url="é\n\u2028")


def small() -> ArchiveFold:
    return ArchiveFold(chunk_events=CHUNK)


class Bucket:
    """What S3 holds, by the sink's rule: a version with more events replaces one with fewer."""

    def __init__(self) -> None:
        self.files: dict[tuple[int, int], tuple[bytes, ...]] = {}

    def write(self, parts: list[Part]) -> None:
        for part in parts:
            there = self.files.get((part.hour, part.chunk), ())
            if len(part.lines) > len(there):
                assert part.lines[: len(there)] == there, "a later version holds all of the earlier"
                self.files[part.hour, part.chunk] = part.lines
            else:
                assert there[: len(part.lines)] == part.lines, "an older writer would write what is there already"

    def ids(self) -> list[str]:
        return sorted(json.loads(line)["event_id"] for lines in self.files.values() for line in lines)


steps = st.lists(
    st.tuples(st.sampled_from(["events", "effects", "flush", "commit", "snapshot", "crash"]), st.integers(1, 20)), max_size=40
)


@given(hours=st.lists(st.integers(490_000, 490_003), max_size=80), steps=steps)
def test_each_event_is_in_one_file_whatever_happens(hours: list[int], steps: list[tuple[str, int]]) -> None:
    """The runtime's order: effects are written, then the commit lands; a crash falls back to the last commit's chain."""
    log = [event(number, hour) for number, hour in enumerate(hours)]
    bucket, fold = Bucket(), small()
    at = committed = 0
    chain: list[bytes] = []
    for what, count in steps:
        if what == "events":
            fold.apply(log[at : at + count])
            at = min(len(log), at + count)
        elif what in ("effects", "flush"):
            bucket.write(list(fold.effects(flush=what == "flush")))
        elif what == "crash":
            fold, at = small(), committed
            for link in chain:
                fold.restore(link, None)
        else:
            chain = [fold.snapshot()] if what == "snapshot" else [*chain, fold.changes()]
            bucket.write(list(fold.effects(flush=False)))
            committed = at
    fold.apply(log[at:])
    bucket.write(list(fold.effects(flush=True)))
    assert bucket.ids() == sorted(each.event_id for each in log)
    for (hour, chunk), lines in bucket.files.items():
        for line in lines:
            row = json.loads(line)
            assert row["occurred_at"] // HOUR_MS == hour
            assert row["ordinal"] // CHUNK == chunk


@given(cuts=st.lists(st.integers(1, 9), max_size=12), hours=st.lists(st.integers(490_000, 490_001), min_size=20, max_size=60))
def test_the_same_log_makes_the_same_complete_files_in_whatever_batches(cuts: list[int], hours: list[int]) -> None:
    def complete(cut: Callable[[int], int]) -> list[Part]:
        fold, found, at, turn = small(), [], 0, 0
        while at < len(hours):
            step = cut(turn)
            fold.apply([event(number, hours[number]) for number in range(at, min(len(hours), at + step))])
            found += [part for part in fold.effects(flush=bool(turn % 2)) if part.complete]
            at, turn = at + step, turn + 1
        return found

    assert complete(lambda turn: cuts[turn % len(cuts)] if cuts else 1) == complete(lambda _turn: len(hours))


def test_a_chunk_is_full_by_bytes_too() -> None:
    fold = ArchiveFold(chunk_bytes=500)
    fold.apply([event(number, 490_000) for number in range(10)])
    parts = fold.effects(flush=False)
    assert [part.chunk for part in parts] == list(range(len(parts)))
    assert len(parts) > 1
    assert all(part.complete and sum(map(len, part.lines)) < 1000 for part in parts)


def test_a_file_of_a_busy_shard_is_written_each_time_it_doubles() -> None:
    fold = ArchiveFold()
    written = []
    for number in range(1100):
        fold.apply([event(number, 490_000)])
        written += [len(part.lines) for part in fold.effects(flush=False)]
    assert written == [256, 512, 1024]
    assert [len(part.lines) for part in fold.effects(flush=True)] == [1100]
    assert fold.effects(flush=True) == []


def test_a_child_shard_begins_with_nothing() -> None:
    parent = small()
    parent.apply([event(1, 490_000)])
    child = small()
    child.restore(parent.snapshot(), Inheritance(WHOLE_SPACE))
    assert child.effects(flush=True) == []


names = st.builds(
    lambda hour, shard, first, length: Name(hour, f"shardId-{shard:012d}", first, first + length),
    st.integers(0, 900_000),
    st.integers(0, 10**11),
    st.integers(0, 10**9),
    st.integers(0, 100),
)


@given(names)
def test_a_key_tells_the_name(name: Name) -> None:
    assert Name.parse(name.key) == name


def test_other_objects_are_no_files() -> None:
    for key in ("date=2026-11-24/hour=17/x.parquet", "date=2026-11-24/hour=17/shardId-000000000001.1-2.parquet.tmp", "a/b"):
        assert Name.parse(key) is None


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.data())
def test_what_a_compacted_file_holds_is_covered_and_nothing_else(lengths: list[int], data: st.DataObject) -> None:
    """Chunks 0…n as single files, some of them merged, some of those merged again."""
    singles = [Name(1, "shardId-000000000000", n, n) for n in range(sum(lengths))]
    merged, at = [], 0
    for length in lengths:
        if data.draw(st.booleans()):
            merged.append(Name(1, "shardId-000000000000", at, at + length - 1))
        at += length
    other = Name(1, "shardId-000000000001", 0, 0)
    everything = {*singles, *merged, other}
    visible = everything - covered(everything)
    chunks = sorted(chunk for name in visible if name != other for chunk in range(name.first, name.last + 1))
    assert chunks == list(range(len(singles)))
    assert other in visible


@given(st.lists(st.integers(0, 400), max_size=300), st.integers(1, 40))
def test_files_of_any_hours_follow_from_the_log_alone(hours: list[int], cut: int) -> None:
    """With the real bounds of hours: folded at once, or cut and restored anywhere, the same events lie in the same files."""
    log = [event(number, 490_000 + hour) for number, hour in enumerate(hours)]
    whole, bucket = ArchiveFold(), Bucket()
    whole.apply(log)
    bucket.write(list(whole.effects(flush=True)))
    again, chain = Bucket(), list[bytes]()
    for start in range(0, len(log), cut):
        fold = ArchiveFold()
        for link in chain:
            fold.restore(link, None)
        fold.apply(log[start : start + cut])
        again.write(list(fold.effects(flush=True)))
        chain.append(fold.changes())
    assert again.files == bucket.files
    assert bucket.ids() == sorted(each.event_id for each in log)


HOSTILE = 20_000


def test_events_of_all_times_make_no_more_files_than_is_said() -> None:
    """Up, down and at random: 20,000 events of 20,000 hours."""
    up = [262_968 + number for number in range(HOSTILE)]
    for hours in (up, up[::-1], sorted(up, key=lambda hour: hour * 7_919 % HOSTILE)):
        fold = ArchiveFold()
        fold.apply([event(number, hour) for number, hour in enumerate(hours)])
        parts = fold.effects(flush=True)
        assert len(parts) <= HOSTILE // FEWEST_EVENTS * (MOST_HOURS + 1)
        assert sum(len(part.lines) for part in parts) == HOSTILE


def test_strange_times_do_not_take_the_present_its_files() -> None:
    now = 500_000
    fold = ArchiveFold()
    fold.apply([event(0, now), *(event(n, 300_000 + n) for n in range(1, 1_000)), event(1_000, now + 1)])
    hours = {part.hour for part in fold.effects(flush=True)}
    assert {now, now + 1, SCATTERED} <= hours
    assert len(hours) <= MOST_OLD_HOURS + 2
