"""What a look makes of records and of the shards table's items."""

from __future__ import annotations

from clickstream.operating.observing import Arrived, count, load_of, readers_of
from clickstream.progress.shards_table import ShardProgress
from clickstream.records.aggregation import Aggregate
from clickstream.records.routing import WHOLE_SPACE, Shard

SHARD = Shard(shard_id="shardId-000000000000", hash_range=WHOLE_SPACE)


def test_an_aggregate_is_one_record_of_many_keys() -> None:
    aggregate = Aggregate(limit=51_200)
    for number in range(10):
        assert aggregate.add("u-hot" if number % 2 else f"u-{number}", b"x" * 100)
    data = aggregate.encode()
    arrived = Arrived(seconds=10.0)
    count(arrived, [{"Data": data, "PartitionKey": "a"}, {"Data": b"y" * 200, "PartitionKey": "u-plain"}])
    load = load_of(SHARD, arrived)
    assert arrived.records == 2
    assert arrived.bytes == len(data) + 1 + 200 + len("u-plain")
    assert arrived.keys["u-hot"] == 500
    assert load.records_per_s == 0.2
    assert load.heaviest == ("u-hot", 500 / 1200)
    assert load.balance is not None


def test_what_claims_to_be_an_aggregate_counts_as_a_record() -> None:
    arrived = Arrived(seconds=1.0)
    count(arrived, [{"Data": b"\xf3\x89\x9a\xc2 broken", "PartitionKey": "u"}])
    assert arrived.keys == {"u": 11}


def test_a_silent_shard() -> None:
    load = load_of(SHARD, Arrived(seconds=30.0))
    assert (load.bytes_per_s, load.heaviest, load.balance) == (0.0, None, None)


def test_records_without_data_have_a_heaviest_key() -> None:
    arrived = Arrived(seconds=1.0)
    count(arrived, [{"Data": b"", "PartitionKey": "u"}, {"Data": b"", "PartitionKey": "v"}])
    assert load_of(SHARD, arrived).heaviest == ("u", 0.5)


def progress(shard: str, owner: str, behind_ms: int, updated_at: int) -> ShardProgress:
    return ShardProgress(application="fraud", shard=shard, owner=owner, behind_ms=behind_ms, updated_at=updated_at)


def test_a_worker_that_died_leaves_a_growing_lag() -> None:
    before = [progress("s0", "w1", 100, 1_000), progress("s1", "w2", 0, 99_000)]
    after = [progress("s0", "w1", 100, 1_000), progress("s1", "w2", 0, 100_000)]
    (reader,) = readers_of(before, after, {"s0", "s1"}, now_ms=101_000)
    dead, alive = reader.lags
    assert reader.workers == 1
    assert (dead.behind_ms, dead.before_ms, dead.needs_help) == (100_100, 100, True)
    assert (alive.behind_ms, alive.needs_help) == (0, False)


def test_a_retired_application_is_no_reader() -> None:
    over = ShardProgress(application="fraud-shadow-1", shard="s0", owner="w1", updated_at=1_000, retired_at=2_000)
    assert readers_of([over], [over], {"s0"}, now_ms=101_000) == ()


def test_closed_shards_are_of_no_interest() -> None:
    shards = [progress("s0", "w1", 0, 1), progress("s9", "w1", 10**9, 1)]
    (reader,) = readers_of(shards, shards, {"s0"}, now_ms=2)
    assert [lag.shard_id for lag in reader.lags] == ["s0"]
