"""What a publisher with a stale shard map does to a shard, put by hand: KCL drops it or delivers it, and neither harms.

With its hash range filter on, KCL drops an aggregate whole that has an event of another shard, but for fresh children, whose
ranges it has not listed yet, it delivers it. With the filter off, as we run it, it always does. Either way its publisher puts
all of the events again, each to its home: as this test does.
"""

from __future__ import annotations

import time
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from clickstream.events import Login, encode
from clickstream.load.verdict import queries
from clickstream.load.verdict.comparers.aggregates import Window
from clickstream.records.aggregation import Aggregate
from clickstream.settings import environment
from tests.integration.publisher.stream import open_shards, split_first
from tests.integration.resharding.platform import Platform

pytestmark = [pytest.mark.integration, pytest.mark.java]

_HOUR_MS = 3_600_000
_AT_MS = 472_222 * _HOUR_MS


def bounds(shard: dict[str, Any]) -> tuple[int, int]:
    return int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"])


class Hand:
    """Makes events and puts them where it is told, right or wrong."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.made = 0

    def events(self, shard: dict[str, Any], count: int) -> list[tuple[str, bytes]]:
        """(partition key, data) of users who are at home in a shard."""
        first, last = bounds(shard)
        found: list[tuple[str, bytes]] = []
        while len(found) < count:
            self.made += 1
            user = f"user-{self.made}"
            if first <= int.from_bytes(md5(user.encode()).digest(), "big") <= last:
                event = Login(event_id=f"event-{self.made}", user_id=user, session_id="s", occurred_at=_AT_MS)
                found.append((user, encode(event)))
        return found

    def put(self, events: list[tuple[str, bytes]], shard: dict[str, Any]) -> None:
        """As one aggregate, by explicit hash key: Kinesis asks nobody whether the members belong there."""
        aggregate = Aggregate(50_000)
        assert aggregate.fill(events) == len(events)
        answer = self._platform.kinesis.put_record(
            StreamName=self._platform.stream,
            Data=aggregate.encode(),
            PartitionKey=events[0][0],
            ExplicitHashKey=str(bounds(shard)[0]),
        )
        assert answer["ShardId"] == shard["ShardId"]


@pytest.mark.parametrize("kcl_filters", [False, True])
def test_an_aggregate_of_two_shards_counts_once_whether_kcl_drops_or_delivers_it(
    platform: Platform, kcl_filters: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(platform)
    overrides = tmp_path / "overrides"
    overrides.write_text("skipShardSyncAtWorkerInitializationIfLeasesExist = false\n" if kcl_filters else "")
    with platform.worker("--properties", str(overrides)) as worker:
        shard, neighbour, *_ = open_shards(platform.kinesis, platform.stream)
        own, others = hand.events(shard, 3), hand.events(neighbour, 2)
        hand.put(own + others, shard)
        hand.put(own, shard)
        hand.put(others, neighbour)
        platform.wait_until(lambda: counted(platform, "events") == 5, "five events", worker)
        expected = (0, 0) if kcl_filters else (2, 3)  # dropped whole; or delivered: refused here, and twice what is at home
        assert (counted(platform, "foreign"), counted(platform, "duplicates")) == expected

        split_first(platform.kinesis, platform.stream)
        lower, upper, *_ = open_shards(platform.kinesis, platform.stream)
        platform.wait_until(lambda: {lower["ShardId"], upper["ShardId"]} <= platform.counted().keys(), "children", worker)
        own, others = hand.events(lower, 4), hand.events(upper, 3)
        hand.put(own + others, lower)
        hand.put(own, lower)
        hand.put(others, upper)
        platform.wait_until(lambda: counted(platform, "events") == 12, "twelve events", worker)
        fresh = platform.counted()[lower["ShardId"]]
        assert (fresh.foreign, fresh.duplicates) == (3, 4), "a fresh child gets it delivered"

        for name, value in environment(platform.settings).items():
            monkeypatch.setenv(name, value)  # the answers are asked for by a command
        hour = Window("hour", _AT_MS)
        deadline = time.monotonic() + 20
        # counters come at once, unique visitors with the commit
        while (totals := queries.ask([hour]).get(hour)) is None or round(totals.uniques) != 12:
            assert time.monotonic() < deadline, totals
        assert totals.events == {"login": 12}
    assert platform.errors_of_kcl() == []


def counted(platform: Platform, what: str) -> int:
    return sum(getattr(shard, what) for shard in platform.counted().values())
