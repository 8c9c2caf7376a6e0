"""What a shard says to a state that another version has written."""

from __future__ import annotations

import msgspec
import pytest

from clickstream.errors import Stop
from clickstream.records.routing import WHOLE_SPACE
from consumers.analytics.wiring import APPLICATION as ANALYTICS
from consumers.fraud.wiring import APPLICATION as FRAUD
from consumers.runtime.application import Application
from consumers.runtime.position import Position
from consumers.runtime.state.shard_state import ShardState


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
