"""A shard must not stand still for ever because one of its processes was overtaken; the simulator found each of these."""

from __future__ import annotations

import pytest

from clickstream.consumers.runtime.loop.shard_loop import FENCED_S
from clickstream.errors import Fenced
from clickstream.load.simulation.fleet.shard_process import deliver, record
from tests.unit.runtime.loop.test_shard_loop import World, login, started, tally


def test_a_zombie_that_takes_its_epoch_late_does_not_hold_up_the_owner_for_ever() -> None:
    world = World()
    owner = started(world.loop("owner"))
    deliver(owner, world.checkpointer, record(login("a"), 10))
    started(world.loop("zombie"))
    deliver(owner, world.checkpointer, record(login("b"), 11))
    deliver(owner, world.checkpointer, record(login("c"), 12))
    assert world.row("ann") == tally("a", "b"), "fenced at the second commit"
    world.clock.now_ms += int(FENCED_S * 1000)
    deliver(owner, world.checkpointer)
    world.clock.now_ms += 1
    with pytest.raises(Fenced):
        deliver(owner, world.checkpointer)


def test_an_end_that_was_committed_but_not_checkpointed_is_checkpointed_by_the_next_owner() -> None:
    world = World()
    first = started(world.loop())
    deliver(first, world.checkpointer, record(login("a"), 10))
    world.checkpointer.refusals = ["ShutdownException"]
    first.shard_ended(world.checkpointer)
    assert world.store.items["shardId-0"].ended
    assert None not in world.checkpointer.positions
    again = started(world.loop("second"))
    deliver(again, world.checkpointer, record(login("a"), 10))
    again.shard_ended(world.checkpointer)
    assert world.checkpointer.positions[-1] is None, "SHARD_END"


@pytest.mark.parametrize("error", ["ShutdownException", "InvalidStateException"])
def test_a_lease_lost_at_the_end_of_its_shard_is_not_waited_for(error: str) -> None:
    world = World()
    loop = started(world.loop())
    world.checkpointer.refusals = [error, error]
    loop.shard_ended(world.checkpointer)
    assert world.checkpointer.refusals == [error], "asked once, since asking again is pointless"
    loop.shard_ended(world.checkpointer)
    assert world.checkpointer.positions == []
