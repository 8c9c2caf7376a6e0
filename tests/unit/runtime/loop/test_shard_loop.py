"""The shard loop's promises, one by one, over memory stores."""

from __future__ import annotations

import msgspec
import pytest
from structlog.testing import capture_logs

from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.errors import Stop
from clickstream.events import AnyEvent, Login
from clickstream.load.simulation.applications.counting import CountingApplication, CountingFold, digest
from clickstream.load.simulation.aws.memory import MemoryDeadLetters, MemoryRows, MemoryStore
from clickstream.load.simulation.fleet.shard_process import Clock, Held, RecordingCheckpointer, deliver, record, shard_loop
from clickstream.records.position import Position
from clickstream.records.routing import MAX_HASH_KEY, WHOLE_SPACE, HashRange, Shard, hash_key

ONLY = Shard(shard_id="shardId-0", hash_range=WHOLE_SPACE)


def login(event_id: str, user_id: str = "ann") -> AnyEvent:
    return Login(event_id=event_id, user_id=user_id, session_id="s", occurred_at=999_999_999_000)


def started(loop: ShardLoop, shard_id: str = "shardId-0", checkpoint: str = "TRIM_HORIZON") -> ShardLoop:
    loop.initialize(shard_id, checkpoint, 0)
    return loop


def tally(*event_ids: str) -> tuple[int, int]:
    value = 0
    for event_id in event_ids:
        value = digest(value, event_id)
    return len(event_ids), value


class World:
    """One application's stores, and as many processes over them as a test wants."""

    def __init__(self, *shards: Shard) -> None:
        self.rows = MemoryRows()
        self.store = MemoryStore("first")
        self.dead_letters = MemoryDeadLetters()
        self.checkpointer = RecordingCheckpointer()
        self.clock = Clock()
        self.shards = shards or (ONLY,)

    def loop(
        self,
        owner: str = "first",
        *,
        executor: Held | None = None,
        policy: CommitPolicy | None = None,
    ) -> ShardLoop:
        return shard_loop(
            CountingApplication(self.rows),
            self.shards,
            self.store.of(owner),
            dead_letters=self.dead_letters,
            clock=self.clock,
            executor=executor,
            policy=policy,
        )

    def row(self, user: str) -> tuple[int, int]:
        count, value = self.rows.rows[user][1]
        return count, value


def test_effect_then_snapshot_then_checkpoint() -> None:
    world = World()
    held = Held(at_once=False)
    loop = started(world.loop(executor=held))
    deliver(loop, world.checkpointer, record(login("a"), 10))
    deliver(loop, world.checkpointer)
    assert world.rows.rows == {}
    assert world.checkpointer.positions == []
    held.release()
    assert world.row("ann") == tally("a")
    assert world.store.items["shardId-0"].position == Position(10)
    deliver(loop, world.checkpointer)
    assert world.checkpointer.positions == [Position(10)]


def test_the_next_batch_is_folded_while_a_commit_is_in_flight() -> None:
    world = World()
    held = Held(at_once=False)
    loop = started(world.loop(executor=held))
    deliver(loop, world.checkpointer, record(login("a"), 10))
    deliver(loop, world.checkpointer, record(login("b"), 11))
    held.release()
    assert world.row("ann") == tally("a"), "the first commit covers the first batch alone"
    deliver(loop, world.checkpointer, record(login("c"), 12))
    held.release()
    assert world.row("ann") == tally("a", "b", "c")
    assert world.checkpointer.positions == [Position(10)]


def test_a_restart_continues_from_the_snapshot_and_drops_what_it_has() -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, record(login("a"), 10), record(login("b"), 10, 1))
    again = started(world.loop("second"))
    deliver(again, world.checkpointer, record(login("a"), 10), record(login("b"), 10, 1), record(login("c"), 11))
    assert world.row("ann") == tally("a", "b", "c")
    assert world.store.items["shardId-0"].progress.events == 3


def test_kcl_is_not_told_of_what_it_has_not_delivered_in_this_run() -> None:
    world = World()
    deliver(started(world.loop()), world.checkpointer, record(login("a"), 10), record(login("b"), 11))
    checkpointer = RecordingCheckpointer()
    again = started(world.loop("second"))
    deliver(again, checkpointer, record(login("a"), 10))
    again.shutdown_requested(checkpointer)
    assert all(position == Position(10) for position in checkpointer.positions)


def test_a_producers_retry_counts_once() -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, record(login("a"), 10), record(login("a"), 11))
    deliver(loop, world.checkpointer, record(login("a"), 12), record(login("b"), 13))
    assert world.row("ann") == tally("a", "b")
    assert world.store.items["shardId-0"].progress.duplicates == 2


def test_a_retry_after_a_restart_counts_once() -> None:
    world = World()
    deliver(started(world.loop()), world.checkpointer, record(login("a"), 10))
    deliver(started(world.loop("second")), world.checkpointer, record(login("a"), 11))
    assert world.row("ann") == tally("a")


@pytest.mark.parametrize(
    ("data", "reason", "path"),
    [
        (b"nonsense", "not JSON", "$"),
        (b"\xf3\x89\x9a\xc2broken", "a KPL aggregate with a bad checksum", "$"),
        (b'{"type":"teleport"}', "not one of the values", "$.type"),
        (b'{"type":"login","event_id":"x","user_id":"u","session_id":"s","occurred_at":NaN}', "not JSON", "$"),
        (
            b'{"type":"login","event_id":7,"user_id":"u","session_id":"s","occurred_at":1764000000000}',
            "Expected `str`",
            "$.event_id",
        ),
        (
            b'{"type":"login","event_id":"x","user_id":"other","session_id":"s","occurred_at":1764000000000}',
            "the partition key",
            "$.user_id",
        ),
        (
            b'{"type":"login","event_id":"x","user_id":"u","session_id":"s","occurred_at":1000000400000}',
            "occurred in the future",
            "$.occurred_at",
        ),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON", "$"),
        (b"", "not JSON", "$"),
    ],
)
def test_what_is_no_event_is_dead_lettered_and_the_shard_goes_on(data: bytes, reason: str, path: str) -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, record(login("a"), 10), record(data, 11, key="u"), record(login("b"), 12))
    assert world.row("ann") == tally("a", "b")
    [letter] = world.dead_letters.letters
    assert letter.reason.startswith(reason)
    assert (letter.path, letter.data, letter.position) == (path, data, str(Position(11)))
    assert world.store.items["shardId-0"].progress.dead_letters == 1


def test_nothing_is_committed_past_a_record_whose_dead_letter_was_not_taken() -> None:
    world = World()
    loop = started(world.loop())
    sent_before: list[Position | None] = []

    class Refusing(MemoryDeadLetters):
        def send(self, letters: object) -> None:
            sent_before.append(world.store.items["shardId-0"].position)
            raise Stop("the test ends here")

    world.dead_letters = Refusing()
    loop = started(world.loop("second"))
    with pytest.raises(Stop):
        deliver(loop, world.checkpointer, record(b"nonsense", 11, key="u"))
    assert sent_before == [None]
    assert world.store.items["shardId-0"].position is None


def test_an_event_of_another_shard_is_refused_and_counted() -> None:
    middle = int.from_bytes(hash_key("ann"), "big")
    lower = Shard(shard_id="shardId-0", hash_range=HashRange.of(0, middle))
    world = World(lower)
    others = [f"user-{n}" for n in range(50)]
    foreign = [user for user in others if hash_key(user) not in lower.hash_range]
    assert foreign
    loop = started(world.loop())
    records = [record(login(f"e-{user}", user), 10, n) for n, user in enumerate(["ann", *others])]
    deliver(loop, world.checkpointer, *records)
    assert set(world.rows.rows) == {"ann", *others} - set(foreign)
    assert world.store.items["shardId-0"].progress.foreign == len(foreign)


def test_children_start_from_their_parents_state_of_their_own_users() -> None:
    half = MAX_HASH_KEY // 2
    shards = (
        ONLY,
        Shard(shard_id="shardId-1", hash_range=HashRange.of(0, half), parents=("shardId-0",)),
        Shard(shard_id="shardId-2", hash_range=HashRange.of(half + 1, MAX_HASH_KEY), parents=("shardId-0",)),
        Shard(shard_id="shardId-3", hash_range=WHOLE_SPACE, parents=("shardId-1", "shardId-2")),
    )
    users = [f"user-{n}" for n in range(40)]
    world = World(*shards)
    parent = started(world.loop())
    deliver(parent, world.checkpointer, *(record(login(f"1-{user}", user), 10, n) for n, user in enumerate(users)))
    parent.shard_ended(world.checkpointer)
    assert world.checkpointer.positions[-1] is None, "SHARD_END"
    for child in shards[1:3]:
        mine = [user for user in users if hash_key(user) in child.hash_range]
        loop = started(world.loop(), child.shard_id)
        # a retry that arrives after the split is still a duplicate
        records = [record(login(f"{k}-{user}", user), 20 + k, n) for k in (1, 2) for n, user in enumerate(mine)]
        deliver(loop, world.checkpointer, *records)
        loop.shard_ended(world.checkpointer)
    merged = started(world.loop(), "shardId-3")
    deliver(merged, world.checkpointer, *(record(login(f"3-{user}", user), 30, n) for n, user in enumerate(users)))
    assert {user: world.row(user) for user in users} == {user: tally(f"1-{user}", f"2-{user}", f"3-{user}") for user in users}


def test_a_child_refuses_to_start_before_its_parent_has_ended() -> None:
    child = Shard(shard_id="shardId-1", hash_range=WHOLE_SPACE, parents=("shardId-0",))
    world = World(ONLY, child)
    deliver(started(world.loop()), world.checkpointer, record(login("a"), 10))
    with pytest.raises(Stop, match="before its parent"):
        started(world.loop(), "shardId-1")


def test_a_zombie_writes_nothing_more_and_stays_calm() -> None:
    world = World()
    zombie = started(world.loop("zombie"))
    deliver(zombie, world.checkpointer, record(login("a"), 10))
    owner = started(world.loop("owner"))
    deliver(owner, world.checkpointer, record(login("a"), 10), record(login("b"), 11))
    before = world.row("ann")
    checkpointer = RecordingCheckpointer()
    deliver(zombie, checkpointer, record(login("b"), 11))
    deliver(zombie, checkpointer, record(login("c"), 12))
    deliver(zombie, checkpointer, record(login("d"), 13))
    zombie.shutdown_requested(checkpointer)
    assert world.row("ann") == before == tally("a", "b")
    assert Position(12) not in checkpointer.positions


def test_after_lease_lost_nothing_is_written() -> None:
    world = World()
    held = Held(at_once=False)
    loop = started(world.loop(executor=held))
    deliver(loop, world.checkpointer, record(login("a"), 10))
    loop.lease_lost()
    deliver(loop, world.checkpointer, record(login("b"), 11))
    held.release()
    assert world.checkpointer.positions == []
    assert world.store.items["shardId-0"].position in (None, Position(10))


@pytest.mark.parametrize("error", ["ThrottlingException", "KinesisClientLibDependencyException"])
def test_a_checkpoint_that_kcl_could_not_store_is_tried_again(error: str) -> None:
    world = World()
    world.checkpointer.refusals = [error]
    loop = started(world.loop())
    deliver(loop, world.checkpointer, record(login("a"), 10))
    deliver(loop, world.checkpointer)
    deliver(loop, world.checkpointer)
    assert world.checkpointer.positions == [Position(10)]


@pytest.mark.parametrize("error", ["ShutdownException", "InvalidStateException"])
def test_a_lost_lease_noticed_at_a_checkpoint_ends_the_effects(error: str) -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, record(login("a"), 10))
    world.checkpointer.refusals = [error]
    deliver(loop, world.checkpointer, record(login("b"), 11))
    deliver(loop, world.checkpointer, record(login("c"), 12))
    assert world.row("ann") == tally("a")


def test_a_checkpoint_that_leads_the_snapshot_is_refused() -> None:
    world = World()
    with pytest.raises(Stop, match="leads the last snapshot"):
        started(world.loop(), checkpoint="12345")


def test_shutdown_commits_and_checkpoints_everything() -> None:
    world = World()
    loop = started(world.loop(policy=CommitPolicy(interval_ms=3_600_000)))
    deliver(loop, world.checkpointer, record(login("a"), 10))
    assert world.store.items["shardId-0"].position is None
    loop.shutdown_requested(world.checkpointer)
    assert world.row("ann") == tally("a")
    assert world.checkpointer.positions == [Position(10)]


def test_a_full_window_waits_instead_of_growing() -> None:
    world = World()
    policy = CommitPolicy(interval_ms=0, checkpoint_interval_ms=0, window_events=2)
    loop = started(world.loop(policy=policy))
    for n in range(6):
        deliver(loop, world.checkpointer, record(login(f"e{n}"), 10 + n))
    assert world.row("ann") == tally(*(f"e{n}" for n in range(6)))


def test_an_idle_shard_tells_that_it_is_caught_up() -> None:
    world = World()
    loop = started(world.loop())
    deliver(loop, world.checkpointer, record(login("a"), 10), behind_ms=5_000)
    assert world.store.items["shardId-0"].behind_ms == 5_000
    world.clock.now_ms += 2_000
    deliver(loop, world.checkpointer, behind_ms=0)
    item = world.store.items["shardId-0"]
    assert (item.behind_ms, item.updated_at) == (0, world.clock.now_ms)


def test_an_event_redriven_for_another_application_is_passed_over() -> None:
    world = World()
    loop = started(world.loop())
    mine, other = (
        msgspec.structs.replace(login(event_id), redriven_for=name) for event_id, name in (("a", "counting"), ("b", "fraud"))
    )
    deliver(loop, world.checkpointer, record(mine, 10), record(other, 11), record(login("c"), 12))
    assert world.row("ann") == tally("a", "c")


def test_effects_are_visible_before_the_commit_that_covers_them() -> None:
    world = World()
    policy = CommitPolicy(effects_interval_ms=200, interval_ms=60_000, checkpoint_interval_ms=0)
    loop = started(world.loop(policy=policy))
    deliver(loop, world.checkpointer, record(login("a"), 10))
    assert world.row("ann") == tally("a")
    assert world.store.items["shardId-0"].position is None
    deliver(loop, world.checkpointer, record(login("b"), 11))
    assert world.row("ann") == tally("a"), "not more often than the interval says"
    world.clock.now_ms += 200
    deliver(loop, world.checkpointer)
    assert world.row("ann") == tally("a", "b")
    assert world.checkpointer.positions == [], "KCL hears only of what is committed"


def test_a_crash_between_effects_and_commit_writes_the_same_effects_again() -> None:
    world = World()
    policy = CommitPolicy(effects_interval_ms=0, interval_ms=60_000)
    deliver(started(world.loop(policy=policy)), world.checkpointer, record(login("a"), 10), record(login("b"), 11))
    again = started(world.loop("second", policy=policy))
    deliver(again, world.checkpointer, record(login("a"), 10))
    deliver(again, world.checkpointer, record(login("b"), 11), record(login("c"), 12))
    assert world.row("ann") == tally("a", "b", "c")


def test_what_is_due_is_done_while_no_batch_comes() -> None:
    """Under enhanced fan-out KCL calls an idle shard every five seconds only."""
    world = World()
    loop = started(world.loop(policy=CommitPolicy(interval_ms=1_000, effects_interval_ms=60_000_000)))
    deliver(loop, world.checkpointer, record(login("a"), 10))
    deliver(loop, world.checkpointer, record(login("b"), 11))
    assert world.store.items["shardId-0"].progress.events == 0
    world.clock.now_ms += 1_000
    loop.idle()
    assert world.store.items["shardId-0"].position == Position(11)
    assert world.row("ann") == tally("a", "b")


def test_idle_before_the_lease_is_harmless() -> None:
    world = World()
    world.loop().idle()
    assert world.store.items == {}


def test_a_full_state_says_how_much_it_has_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    loop = started(world.loop())
    monkeypatch.setattr(CountingFold, "forgotten", 7, raising=False)
    with capture_logs() as logs:
        for sequence in (10, 11, 12):
            deliver(loop, world.checkpointer, record(login(f"e{sequence}"), sequence))
            world.clock.now_ms += 5_000
            loop.idle()
    assert [each["so_far"] for each in logs if each["log_level"] == "warning"] == [7]
