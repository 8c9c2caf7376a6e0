"""How shards are shown: the tree has every shard once, a merged one under both of its parents."""

from __future__ import annotations

import re

import msgspec
import pytest

from clickstream.operating import shard_graph
from clickstream.records.routing import HashRange, Shard

SPACE = 2**128
HALF = SPACE // 2


def shard(number: int, start: int, end: int, *parents: int, is_open: bool = True) -> Shard:
    return Shard(
        shard_id=f"shardId-{number:012d}",
        hash_range=HashRange.of(start, end),
        parents=tuple(f"shardId-{parent:012d}" for parent in parents),
        is_open=is_open,
    )


#: 0 was split into 1 and 2, 2 into 3 and 4, then 1 and 3 were merged into 5.
GRAPH = [
    shard(0, 0, SPACE - 1, is_open=False),
    shard(1, 0, HALF - 1, 0, is_open=False),
    shard(2, HALF, SPACE - 1, 0, is_open=False),
    shard(3, HALF, HALF + HALF // 2 - 1, 2, is_open=False),
    shard(4, HALF + HALF // 2, SPACE - 1, 2),
    shard(5, 0, HALF + HALF // 2 - 1, 1, 3),
]


def test_the_tree() -> None:
    assert shard_graph.tree(GRAPH) == (
        "shardId-000000000000  closed  0.00% – 100.00%\n"
        "├─ shardId-000000000001  closed  0.00% – 50.00%\n"
        "│  └─ shardId-000000000005  open  0.00% – 75.00%  merged from shardId-000000000001 and shardId-000000000003\n"
        "└─ shardId-000000000002  closed  50.00% – 100.00%\n"
        "   ├─ shardId-000000000003  closed  50.00% – 75.00%\n"
        "   │  └─ shardId-000000000005  (see above)\n"
        "   └─ shardId-000000000004  open  75.00% – 100.00%"
    )


def test_children_of_parents_that_have_expired_are_roots() -> None:
    assert [line[:20] for line in shard_graph.tree(GRAPH[4:]).splitlines()] == ["shardId-000000000005", "shardId-000000000004"]


def test_the_table_has_a_line_for_each_shard_with_its_whole_range(capsys: pytest.CaptureFixture[str]) -> None:
    shard_graph.print_rows(GRAPH)
    head, *lines = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert re.split(r"  +", head) == ["SHARD", "STATE", "FIRST HASH KEY", "LAST HASH KEY", "SHARE", "PARENTS"]
    assert lines[5].split() == [
        "shardId-000000000005", "open", "0" * 32, "bf" + "f" * 30, "75.00%", "shardId-000000000001", "shardId-000000000003",
    ]  # fmt: skip
    assert lines[0].endswith("100.00%  -")


def test_rows_are_plain_json() -> None:
    row = msgspec.json.decode(msgspec.json.encode(shard_graph.rows(GRAPH)))[4]
    assert row == {
        "id": "shardId-000000000004",
        "state": "open",
        "first_hash_key": "c" + "0" * 31,
        "last_hash_key": "f" * 32,
        "share": 0.25,
        "parents": ["shardId-000000000002"],
    }
