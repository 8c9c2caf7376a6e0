"""Records of many events, read by the shard loop: positions by line, checkpoints by record, a letter for each bad line."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream import events
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.opening import expanded
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.load.simulation.fleet.shard_process import Held, deliver, record
from clickstream.records.position import Position
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard, hash_key
from tests.unit.runtime.faults.test_poison import Fleet
from tests.unit.runtime.loop.test_shard_loop import World, login, started, tally

NEVER_MS = 10**9
WRITERS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zstandard.compress]
written_by = pytest.mark.parametrize("write", WRITERS, ids=["ndjson", "gzip", "zstd"])


def lines(*ids: str, user: str = "ann") -> bytes:
    return b"".join(events.encode(login(each, user)) + b"\n" for each in ids)


def block(data: bytes, sequence: int, key: str = "another") -> Record:
    return record(data, sequence, key=key)


@written_by
def test_every_line_of_a_record_counts_and_kcl_is_told_of_whole_records(write: Callable[[bytes], bytes]) -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, block(write(lines("a", "b", "c")), 10), block(write(lines("d", "e")), 11))
    deliver(loop, world.checkpointer)
    assert world.row("ann") == tally("a", "b", "c", "d", "e")
    assert world.store.items["shardId-0"].position == Position(11, 1)
    assert world.checkpointer.positions == [Position(11, 0)]


@written_by
def test_a_restart_within_a_block_folds_the_rest_of_it_and_no_other_line(write: Callable[[bytes], bytes]) -> None:
    world = World()
    ids = [f"e-{n}" for n in range(9)]
    world.store.items.clear()
    first = started(world.loop())
    deliver(first, world.checkpointer, block(lines(*ids[:4]), 10))
    assert world.store.items["shardId-0"].position == Position(10, 3)
    again = started(world.loop("second"))
    deliver(again, world.checkpointer, block(write(lines(*ids)), 10), block(write(lines("last-1", "last-2")), 11))
    assert world.row("ann") == tally(*ids, "last-1", "last-2")
    assert world.store.items["shardId-0"].progress.duplicates == 0


@written_by
def test_a_bad_line_is_a_letter_of_its_own_and_takes_no_other_along(write: Callable[[bytes], bytes]) -> None:
    world = World()
    loop = started(world.loop())
    data = lines("a", "b") + b'{"type":"login"}\n\n' + lines("c") + b"no json \xff\n" + lines("d").rstrip()
    deliver(loop, world.checkpointer, block(write(data), 10))
    assert world.row("ann") == tally("a", "b", "c", "d")
    letters = [(each.sub_sequence_number, each.data, each.partition_key) for each in world.dead_letters.letters]
    assert letters == [(2, b'{"type":"login"}', ""), (5, b"no json \xff", "")]
    assert world.store.items["shardId-0"].position == Position(10, 6)


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(lines("a", "b"))[:-5],
        zstandard.compress(lines("a", "b"))[:-5],
        gzip.compress(b"1\n" * 5_000_000),
        zstandard.compress(b"1\n" * 5_000_000),
        b"1\n" * 10_001,
        zstandard.compress(lines("a")) + zstandard.compress(lines("b")),
        b"\n \n",
        zstandard.compress(b""),
        gzip.compress(b""),
        b"\x28\xb5\x2f\xfd\x20\x00" + zstandard.compress(lines("a", "b"))[6:],
    ],
)
def test_a_block_that_cannot_be_read_is_one_letter_and_the_shard_goes_on(data: bytes) -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, record(login("x"), 9), block(data, 10), block(lines("c", "d"), 11))
    assert world.row("ann") == tally("x", "c", "d")
    (letter,) = world.dead_letters.letters
    assert (letter.position, letter.data) == (str(Position(10)), data)
    again = started(world.loop("second"))
    deliver(again, world.checkpointer, block(data, 10), block(lines("c", "d"), 11), record(login("e"), 12))
    assert world.row("ann") == tally("x", "c", "d", "e")
    assert len(world.dead_letters.letters) == 1


def test_a_block_in_a_block_is_a_line_that_is_no_event() -> None:
    world = World()
    loop = started(world.loop())
    inner = gzip.compress(lines("a"), mtime=0)
    deliver(loop, world.checkpointer, block(zstandard.compress(inner), 10))
    assert [letter.data for letter in world.dead_letters.letters] == [inner]


def test_a_member_of_an_aggregate_holds_one_event() -> None:
    world = World()
    loop = started(world.loop())
    nested = [record(lines("a", "b"), 10, 0, key="ann"), record(zstandard.compress(lines("c", "d")), 10, 1, key="ann")]
    deliver(loop, world.checkpointer, *nested, record(login("e"), 10, 2))
    assert world.row("ann") == tally("e")
    assert [letter.sub_sequence_number for letter in world.dead_letters.letters] == [0, 1]


def test_a_record_of_one_event_needs_its_user_for_key_however_it_is_written() -> None:
    world = World()
    loop = started(world.loop())
    for n, write in enumerate(WRITERS):
        deliver(loop, world.checkpointer, block(write(lines("a")), 10 + n))
    assert [letter.path for letter in world.dead_letters.letters] == ["$.user_id"] * 3
    deliver(loop, world.checkpointer, block(zstandard.compress(lines("b")), 20, key="ann"))
    assert world.row("ann") == tally("b")


def test_an_event_over_several_lines_is_one_event() -> None:
    world = World()
    loop = started(world.loop())
    deliver(
        loop,
        world.checkpointer,
        block(events.encode(login("a")).replace(b",", b",\n"), 10, key="ann"),
        block(lines("b", "c"), 11),
    )
    assert world.row("ann") == tally("a", "b", "c")
    assert not world.dead_letters.letters


def test_what_lies_in_another_shard_is_refused_line_by_line() -> None:
    ann = int.from_bytes(hash_key("ann"), "big")
    bob = int.from_bytes(hash_key("bob"), "big")
    middle = (ann + bob) // 2
    of_ann = HashRange.of(0, middle) if ann < bob else HashRange.of(middle, MAX_HASH_KEY)
    world = World(Shard(shard_id="shardId-0", hash_range=of_ann))
    loop = started(world.loop())
    deliver(loop, world.checkpointer, block(lines("a") + lines("x", "y", user="bob") + lines("b"), 10))
    assert world.row("ann") == tally("a", "b")
    assert "bob" not in world.rows.rows
    assert world.store.items["shardId-0"].progress.foreign == 2


def test_a_commit_comes_between_the_slices_of_a_batch_and_covers_no_more_than_is_folded() -> None:
    world = World()
    held = Held(at_once=False)
    policy = CommitPolicy(interval_ms=NEVER_MS, max_events=1, checkpoint_interval_ms=0, slice_bytes=1)
    loop = started(world.loop(executor=held, policy=policy))
    deliver(loop, world.checkpointer, block(lines("a", "b"), 10), block(lines("c"), 11, key="ann"), block(lines("d", "e"), 12))
    held.release()
    assert world.store.items["shardId-0"].position == Position(10, 1), (
        "the first slice's commit was on its way when the rest was folded"
    )
    deliver(loop, world.checkpointer)
    assert world.checkpointer.positions == [Position(10, 0)]
    held.release()
    assert world.row("ann") == tally("a", "b", "c", "d", "e")


@settings(max_examples=60, deadline=None)
@given(
    ids=st.lists(st.sampled_from(["ok", "ok", "ok", "apply", "effects", "changes"]), min_size=1, max_size=12),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    slice_bytes=st.sampled_from([1, 300, 10**6]),
    interval_ms=st.sampled_from([0, 500, 10_000]),
)
def test_whatever_line_is_poison_and_however_it_is_packed_the_others_count_once(
    ids: list[str], sizes: list[int], cuts: Sequence[int], slice_bytes: int, interval_ms: int
) -> None:
    named = [f"{kind}-{n}" for n, kind in enumerate(ids)]
    poison = [each for each in named if not each.startswith("ok")]
    good = [each for each in named if each.startswith("ok")]
    if len(poison) >= 10:
        return
    fleet = Fleet()
    policy = CommitPolicy(interval_ms=interval_ms, checkpoint_interval_ms=0, slice_bytes=slice_bytes)
    records: list[Record] = []
    at = 0
    while at < len(named):
        size = sizes[len(records) % len(sizes)]
        write = WRITERS[len(records) % 3]
        records.append(block(write(lines(*named[at : at + size])), 10 + len(records), key="ann"))
        at += size
    fleet.read(records, cuts, most_deaths=4 * len(poison), policy=policy)
    fleet.read([*records, record(login("last"), 100)], cuts, most_deaths=4 * len(poison))
    assert fleet.row == tally(*good, "last")
    assert {letter.event_id for letter in fleet.letters.letters} == set(poison)
    assert len(fleet.letters.letters) == len(poison)


@written_by
@pytest.mark.parametrize(
    "data",
    [
        lines("a").rstrip() + b" " + lines("b") + b"\n" + lines("c"),
        lines("a").replace(b",", b",\n", 1) + lines("b").rstrip() + b" " + lines("c"),
    ],
    ids=["two in a line beside a blank one", "two in a line beside one over two lines"],
)
def test_documents_that_do_not_keep_to_lines_are_read_as_in_the_careful_path(
    write: Callable[[bytes], bytes], data: bytes
) -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, block(write(data), 10))
    careful = Fleet()
    one_by_one = careful.loop(CommitPolicy(interval_ms=0, checkpoint_interval_ms=0))
    for each in expanded(block(write(data), 10)):
        deliver(one_by_one, world.checkpointer, each)
    assert {(each.position, each.data) for each in world.dead_letters.letters} == {
        (each.position, each.data) for each in careful.letters.letters
    }
    assert world.rows.rows.get("ann", (0, (0, 0)))[1] == careful.rows.rows.get("ann", (0, (0, 0)))[1]


def test_a_broken_aggregate_is_one_letter_whatever_bytes_it_has() -> None:
    world = World()
    loop = started(world.loop())
    broken = b"\xf3\x89\x9a\xc2" + lines("a", "b") + bytes(16)
    deliver(loop, world.checkpointer, block(broken, 10))
    (letter,) = world.dead_letters.letters
    assert (letter.data, letter.sub_sequence_number) == (broken, 0)
