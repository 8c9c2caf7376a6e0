"""A stream's shards for people and for machines: as rows, as a table, as a tree of parents and children."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from clickstream.operating.resharding import bounds, share
from clickstream.records.routing import Shard
from clickstream.terminal import print_table


def rows(shards: Sequence[Shard]) -> list[dict[str, Any]]:
    """By age. The hash keys are 32 hexadecimal digits, ``share`` is of the hash key space, between 0 and 1."""
    return [
        {
            "id": shard.shard_id,
            "state": _state(shard),
            "first_hash_key": shard.hash_range.start.hex(),
            "last_hash_key": shard.hash_range.end.hex(),
            "share": share(*bounds(shard.hash_range)),
            "parents": shard.parents,
        }
        for shard in _by_age(shards)
    ]


def print_rows(shards: Sequence[Shard]) -> None:
    """A line for each shard, on stdout."""
    columns = ("SHARD", "STATE", "FIRST HASH KEY", "LAST HASH KEY", "SHARE", "PARENTS")
    found = map(dict.values, rows(shards))
    print_table(columns, [(*cells, f"{size:.2%}", " ".join(parents) or "-") for *cells, size, parents in found])


def tree(shards: Sequence[Shard]) -> str:
    """Children under their parents, each with its state and its part of the hash key space.

    A merged shard stands whole under one parent, and is named under the other one. A parent that Kinesis no longer lists,
    because its records have expired, is left out.
    """
    known = {shard.shard_id for shard in shards}
    children: dict[str, list[Shard]] = defaultdict(list)
    roots: list[Shard] = []
    for shard in sorted(_by_age(shards), key=lambda shard: shard.hash_range.start):
        parents = known.intersection(shard.parents)
        for parent in parents:
            children[parent].append(shard)
        if not parents:
            roots.append(shard)
    shown: set[str] = set()
    return "\n".join(line for root in roots for line in _branch(root, children, shown, "", ""))


def _branch(shard: Shard, children: dict[str, list[Shard]], shown: set[str], lead: str, indent: str) -> Iterator[str]:
    if shard.shard_id in shown:
        yield f"{lead}{shard.shard_id}  (see above)"
        return
    shown.add(shard.shard_id)
    yield f"{lead}{_label(shard)}"
    below = children.get(shard.shard_id, [])
    for number, child in enumerate(below, start=1):
        last = number == len(below)
        yield from _branch(child, children, shown, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))


def _label(shard: Shard) -> str:
    start, end = bounds(shard.hash_range)
    where = f"{share(0, start - 1):.2%} – {share(0, end):.2%}"
    merged = f"  merged from {' and '.join(shard.parents)}" if len(shard.parents) > 1 else ""
    return f"{shard.shard_id}  {_state(shard)}  {where}{merged}"


def _state(shard: Shard) -> str:
    return "open" if shard.is_open else "closed"


def _by_age(shards: Sequence[Shard]) -> list[Shard]:
    return sorted(shards, key=lambda shard: shard.shard_id)
