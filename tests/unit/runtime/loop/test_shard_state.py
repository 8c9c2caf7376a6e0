"""What a shard says to a state that another version has written."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
from structlog.testing import capture_logs

from clickstream.application import Application
from clickstream.consumers.analytics.wiring import APPLICATION as ANALYTICS
from clickstream.consumers.fraud.wiring import APPLICATION as FRAUD
from clickstream.consumers.runtime.loop.duplicates import SeenEvents
from clickstream.consumers.runtime.state import shard_state
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.errors import Stop
from clickstream.load.simulation.fleet.shard_process import deliver, record
from clickstream.records.position import Position
from clickstream.records.routing import WHOLE_SPACE
from tests.unit.runtime.loop.test_shard_loop import World, login, started


def fresh(application: Application) -> ShardState:
    return ShardState(application.name, application.open_fold("shardId-0"), WHOLE_SPACE)


@pytest.mark.parametrize("application", [ANALYTICS, FRAUD], ids=["analytics", "fraud"])
@pytest.mark.parametrize("torn", ["fold", "all"])
def test_a_state_that_cannot_be_read_stops_the_shard_in_words(application: Application, torn: str) -> None:
    written = fresh(application).snapshot()
    if torn == "fold":
        progress, seen, _, lateness = msgspec.msgpack.decode(written)
        written = msgspec.msgpack.encode((progress, seen, msgspec.msgpack.encode(["of", "another", "version"]), lateness))
    else:
        written = written[:-1]
    with pytest.raises(Stop, match="cannot read the state"):
        fresh(application).restore([written], Position(1))
    with pytest.raises(Stop, match="cannot read the state"):
        fresh(application).inherit([written])


def test_event_ids_that_do_not_fit_are_told_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_state, "SeenEvents", partial(SeenEvents, most=10))
    world = World()
    loop = started(world.loop())
    with capture_logs() as logs:
        for number in range(12):
            deliver(loop, world.checkpointer, record(login(f"e{number}"), number))
    assert [line["so_far"] for line in logs if line["event"].startswith("more event ids than fit")] == [5]
