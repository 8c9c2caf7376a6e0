"""What is not allowed is waited for, aloud; and no interval follows a clock that somebody sets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from clickstream.consumers.runtime.faults.patience import AGAIN_S, Patience
from clickstream.consumers.runtime.faults.watchdog import Watch
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.errors import Forbidden, RetryLater
from clickstream.events import Login
from clickstream.load.simulation.applications.counting import CountingApplication
from clickstream.load.simulation.aws.memory import MemoryDeadLetters, MemoryRows, MemoryStore
from clickstream.load.simulation.fleet.shard_process import (
    Clock,
    Held,
    MemorySurroundings,
    RecordingCheckpointer,
    deliver,
    record,
    shard_loop,
)
from clickstream.records.position import Position
from clickstream.records.routing import WHOLE_SPACE, Shard

ONLY = Shard(shard_id="shardId-0", hash_range=WHOLE_SPACE)
DENIED = Forbidden("DynamoDB: AccessDeniedException", action="dynamodb:PutItem", resource="arn:decisions")


class Turned(threading.Event):
    """A stop flag; every wait lets its seconds pass at once on a clock of its own."""

    def __init__(self, each_s: float = 5.0) -> None:
        super().__init__()
        self.now = 100.0
        self._each_s = each_s
        self.during: list[Callable[[], None]] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.now += self._each_s
        for look in self.during:
            look()
        return False


def _lines(logs: Any, event: str) -> list[Any]:
    return [line for line in logs if line["event"] == event]


def test_one_line_when_it_begins_one_a_minute_and_one_when_it_is_over() -> None:
    flag = Turned()
    patience = Patience(
        flag, lambda: structlog.get_logger().bind(position="7"), clock=lambda: flag.now, clock_ms=lambda: int(flag.now * 1000)
    )
    refusals = [DENIED] * 30
    seen: list[dict[str, str | int]] = []
    watch = Watch(30, clock=lambda: flag.now)
    flag.during += [lambda: seen.append(patience.current()), lambda: hung.append(watch.hanging(patience.last_trouble))]
    hung: list[str | None] = []

    def write() -> str:
        if refusals:
            raise refusals.pop()
        return "written"

    with structlog.testing.capture_logs() as logs, watch.over("commit"):
        assert patience.call(write) == "written"
    told = _lines(logs, "the shard waits: not allowed")
    assert len(told) == 1 + int(29 * 5 // AGAIN_S)
    assert {(line["log_level"], line["action"], line["resource"], line["position"]) for line in told} == {
        ("error", "dynamodb:PutItem", "arn:decisions", "7")
    }
    assert _lines(logs, "waiting for a dependency") == [], "it is no outage"
    [over] = _lines(logs, "the shard waits no longer")
    assert (over["log_level"], over["waited_s"]) == ("info", 150)
    assert seen == [{"action": "dynamodb:PutItem", "resource": "arn:decisions", "since": 100_000}] * 30
    assert patience.current() == {}
    assert set(hung) == {None}, "waiting for a permission is no hang"


def test_waiting_for_what_no_breaker_watches_is_no_hang() -> None:
    flag = Turned()
    patience = Patience(flag, clock=lambda: flag.now)
    watch = Watch(30, clock=lambda: flag.now)
    outages = [RetryLater("webhook crm: answered 503")] * 30
    hung: list[str | None] = []
    flag.during.append(lambda: hung.append(watch.hanging(patience.last_trouble)))

    def write() -> None:
        if outages:
            raise outages.pop()

    with watch.over("commit"):
        patience.call(write)
    assert hung == [None] * 30


def test_a_refusal_that_becomes_an_outage_is_over() -> None:
    flag = Turned()
    patience = Patience(flag, clock=lambda: flag.now)
    answers: list[Exception] = [RetryLater("DynamoDB: away"), DENIED]
    states: list[bool] = []
    flag.during.append(lambda: states.append(bool(patience.current())))

    def write() -> None:
        if answers:
            raise answers.pop()

    patience.call(write)
    assert states == [True, False]


@pytest.mark.parametrize("step", ["describe", "take", "look", "read", "open", "send", "commit", "heartbeat"])
def test_a_refusal_at_any_step_is_waited_for_and_loses_nothing(step: str) -> None:
    """At any call that the loop makes: a shard with a parent, a rejected record, an event, a heartbeat."""
    left = [3]

    def gate(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if name == step and left[0]:
                left[0] -= 1
                raise DENIED
            return real(*arguments)

        return call

    parent = Shard(shard_id="shardId-p", hash_range=WHOLE_SPACE)
    child = Shard(shard_id="shardId-0", hash_range=WHOLE_SPACE, parents=("shardId-p",))
    rows, store, letters, clock = MemoryRows(), MemoryStore("w"), MemoryDeadLetters(), Clock()
    before = shard_loop(CountingApplication(rows), (parent, child), store, clock=clock)
    before.initialize("shardId-p", "TRIM_HORIZON", 0)
    deliver(before, RecordingCheckpointer(), record(_login("a"), 1))
    before.shard_ended(RecordingCheckpointer())

    io = MemorySurroundings(CountingApplication(rows), (parent, child), store, letters)
    for name in ("take", "look", "read", "commit", "heartbeat"):
        setattr(store, name, gate(name, getattr(store, name)))
    letters.send = gate("send", letters.send)  # type: ignore[method-assign]
    io.describe = gate("describe", io.describe)  # type: ignore[method-assign]
    io.open_sink = gate("open", io.open_sink)  # type: ignore[method-assign]
    loop = ShardLoop(
        CountingApplication(rows),
        io,
        policy=CommitPolicy(interval_ms=0, checkpoint_interval_ms=0),
        clock_ms=clock,
        monotonic_s=lambda: clock.now_ms / 1000,
        executor=Held(),
        gone=Turned(),
    )
    loop.initialize("shardId-0", "TRIM_HORIZON", 0)
    deliver(loop, RecordingCheckpointer(), record(b"rubbish", 10, key="u"), record(_login("b"), 11))
    clock.now_ms += 5_000
    deliver(loop, RecordingCheckpointer())
    assert left == [0], "the step was taken"
    assert rows.rows["ann"][1][0] == 2
    assert len(letters.letters) == 1
    assert store.items["shardId-0"].position == Position(11)
    assert loop.patience.current() == {}


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000])
def test_a_clock_that_is_set_by_an_hour_delays_nothing(jump_ms: int) -> None:
    rows, store, wall, monotonic = MemoryRows(), MemoryStore("w"), Clock(), [50.0]
    loop = ShardLoop(
        CountingApplication(rows),
        MemorySurroundings(CountingApplication(rows), (ONLY,), store, MemoryDeadLetters()),
        policy=CommitPolicy(),
        clock_ms=wall,
        monotonic_s=lambda: monotonic[0],
        executor=Held(),
    )
    loop.initialize("shardId-0", "TRIM_HORIZON", 0)
    checkpointer = RecordingCheckpointer()
    deliver(loop, checkpointer, record(_login("a"), 10))
    wall.now_ms += jump_ms
    for turn in range(1, 60):
        monotonic[0] += 0.1
        wall.now_ms += 100
        if turn == 15:
            assert store.items["shardId-0"].position == Position(10), "committed within its second"
        deliver(loop, checkpointer)
    assert checkpointer.positions == [Position(10)]
    assert abs(store.items["shardId-0"].updated_at - wall.now_ms) <= 1_100, (
        "the heartbeat goes on, and shows the clock as it is"
    )


def _login(event_id: str) -> Login:
    return Login(event_id=event_id, user_id="ann", session_id="s", occurred_at=999_999_999_000)
