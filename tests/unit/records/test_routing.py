from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.records.routing import MAX_HASH_KEY, WHOLE_SPACE, HashRange, Shard, ShardMap, hash_key


def _shard(shard_id: str, start: int, end: int, *, is_open: bool = True) -> Shard:
    return Shard(shard_id=shard_id, hash_range=HashRange.of(start, end), is_open=is_open)


def _thirds() -> ShardMap:
    """Three shards as CreateStream cuts them: equal widths, rounded down, the last one to the end."""
    width = 2**128 // 3
    edges = [0, width, 2 * width, 2**128]
    return ShardMap(_shard(f"shardId-{n:012d}", edges[n], edges[n + 1] - 1) for n in range(3))


@pytest.fixture(scope="session")
def vectors(datasets: Path) -> dict[str, Any]:
    """Hash keys and shards that other implementations state: the KPL's own tests, and another Kinesis server's."""
    file = datasets / "kpl_vectors" / "DERIVED_hash_key_vectors.json"
    if not file.exists():
        pytest.skip(f"no {file}")
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    return found


def test_hash_keys_are_the_kpls(vectors: dict[str, Any]) -> None:
    assert vectors["partition_key_md5"]
    for vector in vectors["partition_key_md5"]:
        assert hash_key(vector["partition_key"]).hex() == vector["md5_hex"]


def test_keys_route_to_the_shards_that_another_server_chose(vectors: dict[str, Any]) -> None:
    assert len(vectors["three_equal_shards"]) >= 5
    for vector in vectors["three_equal_shards"]:
        explicit = vector.get("explicit_hash_key")
        key = int(explicit).to_bytes(16, "big") if explicit else hash_key(vector["partition_key"])
        assert _thirds().shard_for(key).shard_id == vector["shard"], vector


def test_a_hash_key_over_the_space_is_refused(vectors: dict[str, Any]) -> None:
    for text in vectors["invalid_explicit_hash_key"]:
        with pytest.raises(OverflowError):
            HashRange.of(0, int(text))


def test_partition_keys_hash_as_utf8() -> None:
    # the MD5 of the four bytes f0 9f 98 80, by md5sum
    assert hash_key("😀").hex() == "2a02eac39d716a70ecf37579185927b6"


@pytest.mark.parametrize("key", [0, 1, 2**127 - 1, 2**127, 2**127 + 1, MAX_HASH_KEY])
def test_bytes_order_as_the_numbers_do(key: int) -> None:
    halves = ShardMap([_shard("low", 0, 2**127 - 1), _shard("high", 2**127, MAX_HASH_KEY)])
    assert halves.shard_for(key.to_bytes(16, "big")).shard_id == ("low" if key < 2**127 else "high")


def test_ranges_include_both_ends() -> None:
    inner = HashRange.of(10, 20)
    assert [key for key in (9, 10, 20, 21) if key.to_bytes(16, "big") in inner] == [10, 20]


@pytest.mark.parametrize(
    "shards",
    [
        [],
        [_shard("a", 0, 5)],
        [_shard("a", 1, MAX_HASH_KEY)],
        [_shard("a", 0, 5), _shard("b", 7, MAX_HASH_KEY)],
        [_shard("a", 0, 5), _shard("b", 5, MAX_HASH_KEY)],
        [_shard("a", 0, 5), _shard("b", 6, MAX_HASH_KEY, is_open=False)],
    ],
    ids=["none", "one, too short", "starts late", "gap", "overlap", "closed"],
)
def test_a_map_from_the_middle_of_a_reshard_is_refused(shards: list[Shard]) -> None:
    with pytest.raises(ValueError, match="shard map"):
        ShardMap(shards)


def test_closed_shards_take_no_key() -> None:
    after_split = ShardMap(
        [_shard("parent", 0, MAX_HASH_KEY, is_open=False), _shard("low", 0, 99), _shard("high", 100, MAX_HASH_KEY)]
    )
    assert [shard.shard_id for shard in after_split.shards] == ["low", "high"]


def test_shards_as_list_shards_tells_them() -> None:
    told = {
        "ShardId": "shardId-000000000002",
        "ParentShardId": "shardId-000000000000",
        "AdjacentParentShardId": "shardId-000000000001",
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(MAX_HASH_KEY)},
        "SequenceNumberRange": {"StartingSequenceNumber": "1"},
    }
    shard = Shard.from_api(told)
    assert shard.parents == ("shardId-000000000000", "shardId-000000000001")
    assert (shard.is_open, shard.hash_range) == (True, WHOLE_SPACE)
    assert not Shard.from_api({**told, "SequenceNumberRange": {"EndingSequenceNumber": "2"}}).is_open
