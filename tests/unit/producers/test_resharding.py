"""What the publisher does when a record comes to another shard than expected."""

from __future__ import annotations

import pytest

from clickstream.errors import RetryLater
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.packing import Records
from clickstream.producers.publisher.puts import CallFailed, Delivered, Placed, Put, RefreshShardMap
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.routing import Shard
from tests.unit.producers.shards import HIGH, LOW, MERGED, ONE, SPLIT, TWO, events, the_put


def resharded(before: list[Shard], keys: list[str], limits: Limits | None = None) -> tuple[Publisher, Put]:
    publisher = Publisher(before, limits)
    for number, key in enumerate(keys):
        publisher.add(key, b"%d" % number, 0.0, token=number)
    return publisher, the_put(publisher, 0.1)


def test_a_record_that_fits_the_child_whole_is_delivered() -> None:
    publisher, put = resharded(ONE, LOW[:3])
    publisher.on_result(put, [Placed("low", "1")], 0.2)
    assert publisher.due(0.2) == [RefreshShardMap()]
    assert publisher.settled() == []
    publisher.on_shard_map(SPLIT, 0.3)
    assert [each.token for each in publisher.settled()] == [0, 1, 2]
    assert (publisher.counters.mispredicted, publisher.counters.reput) == (1, 0)


def test_an_aggregate_with_one_foreign_event_is_put_again_whole_by_the_new_map() -> None:
    publisher, put = resharded(ONE, [*LOW[:3], HIGH[0]], Limits(records="kpl"))
    publisher.on_result(put, [Placed("low", "1")], 0.2)
    publisher.add(LOW[0], b"later", 0.2)
    assert publisher.due(0.2) == [RefreshShardMap()]
    publisher.on_shard_map(SPLIT, 0.3)
    assert publisher.settled() == []
    low, high = the_put(publisher, 0.4).parcels
    assert (low.shard_id, events(low)) == ("low", [b"0", b"1", b"2", b"later"])
    assert (high.shard_id, events(high)) == ("high", [b"3"])
    assert publisher.counters.reput == 4


@pytest.mark.parametrize("records", ["zstd", "gzip", "ndjson"])
def test_of_a_block_only_the_foreign_events_are_put_again_by_the_new_map(records: Records) -> None:
    publisher, put = resharded(ONE, [LOW[0], HIGH[0], LOW[1], HIGH[1], HIGH[0]], Limits(records=records))
    publisher.on_result(put, [Placed("low", "1")], 0.2)
    publisher.add(HIGH[0], b"later", 0.2, token="later")
    publisher.due(0.2)
    publisher.on_shard_map(SPLIT, 0.3)
    assert publisher.settled() == [Delivered(0, "low", "1"), Delivered(2, "low", "1")]
    again = the_put(publisher, 0.4)
    (high,) = again.parcels
    assert (high.shard_id, high.partition_key, events(high)) == ("high", HIGH[0], [b"1", b"3", b"4", b"later"])
    publisher.on_result(again, [Placed("high", "1")], 0.5)
    assert [each.token for each in publisher.settled()] == [1, 3, 4, "later"]
    assert (publisher.counters.reput, publisher.counters.delivered, publisher.pending_bytes) == (3, 6, 0)


def test_after_a_merge_everything_is_at_home() -> None:
    publisher, put = resharded(TWO, [LOW[0], LOW[1], HIGH[0], HIGH[1]])
    publisher.on_result(put, [Placed("whole", "1"), Placed("whole", "2")], 0.2)
    assert publisher.due(0.2) == [RefreshShardMap()]
    publisher.on_shard_map(MERGED, 0.3)
    assert len(publisher.settled()) == 4
    publisher.add(LOW[0], b"low", 1.0)
    publisher.add(HIGH[0], b"high", 1.0)
    (parcel,) = the_put(publisher, 2.0).parcels
    assert (parcel.shard_id, events(parcel)) == ("whole", [b"low", b"high"])


def test_nothing_is_put_to_a_closed_shard_while_its_map_is_awaited() -> None:
    publisher, put = resharded(ONE, LOW[:2])
    publisher.on_result(put, [Placed("low", "1")], 0.2)
    publisher.add(LOW[0], b"later", 0.2)
    assert publisher.due(0.2) == [RefreshShardMap()]
    assert publisher.due(5.0) == []
    # asked again, later each time, while the listing is older than the reshard
    waits: list[float] = []
    now = 5.0
    for _ in range(8):
        publisher.on_shard_map(ONE, now)
        waits.append(publisher.wake_at - now)
        now = publisher.wake_at
        assert publisher.due(now) == [RefreshShardMap()]
    assert waits[0] < 0.2 < waits[-1] <= 1.0
    publisher.on_shard_map(SPLIT, now)
    assert events(the_put(publisher, now + 1).parcels[0]) == [b"later"]


@pytest.mark.parametrize("listing", [SPLIT[:2], []])
def test_a_map_with_a_gap_is_taken_again(listing: list[Shard]) -> None:
    publisher, put = resharded(ONE, LOW[:2])
    publisher.on_result(put, [Placed("low", "1")], 0.2)
    publisher.due(0.2)
    publisher.on_shard_map(listing, 0.3)
    assert publisher.due(publisher.wake_at) == [RefreshShardMap()]


def test_a_new_map_waits_for_answers_from_the_lanes_that_it_ends() -> None:
    publisher = Publisher(TWO)
    publisher.add(LOW[0], b"1", 0.0)
    first = the_put(publisher, 0.1)
    publisher.add(HIGH[0], b"2", 0.1)
    second = the_put(publisher, 0.3)
    publisher.on_result(second, [Placed("whole", "1")], 0.4)
    publisher.add(LOW[0], b"3", 0.4)
    publisher.add(HIGH[0], b"4", 0.4)
    assert publisher.due(0.4) == [RefreshShardMap()]
    publisher.on_shard_map(MERGED, 0.5)
    assert publisher.due(1.0) == [], "event 3 must not overtake event 1"
    publisher.on_result(first, CallFailed(RetryLater("no answer")), 1.0)
    assert events(the_put(publisher, 1.1).parcels[0]) == [b"1", b"3", b"4"]
