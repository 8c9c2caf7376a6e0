"""A stream's shards for people and for machines: as rows, as a table, as a tree of parents and children. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from clickstream.operating.resharding import bounds, share
from clickstream.records.routing import Shard


class Row(msgspec.Struct, frozen=True):
    """One shard; the hash keys are 32 hexadecimal digits, ``share`` is of the hash key space, between 0 and 1."""

    id: str
    state: str
    """``open`` or ``closed``."""
    first_hash_key: str
    last_hash_key: str
    share: float
    parents: tuple[str, ...]


def rows(shards: Sequence[Shard]) -> list[Row]:
    """In the order of the ids, which is that of age."""
    return [
        Row(
            id=shard.shard_id,
            state="open" if shard.is_open else "closed",
            first_hash_key=shard.hash_range.start.hex(),
            last_hash_key=shard.hash_range.end.hex(),
            share=share(*bounds(shard.hash_range)),
            parents=shard.parents,
        )
        for shard in _by_age(shards)
    ]


def table(shards: Sequence[Shard]) -> str:
    """One line per shard under a line of headings."""
    cells = [("SHARD", "STATE", "FIRST HASH KEY", "LAST HASH KEY", "SHARE", "PARENTS")]
    cells += [
        (row.id, row.state, row.first_hash_key, row.last_hash_key, f"{row.share:.2%}", " ".join(row.parents) or "-")
        for row in rows(shards)
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


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
    return f"{shard.shard_id}  {'open' if shard.is_open else 'closed'}  {where}{merged}"


def _by_age(shards: Sequence[Shard]) -> list[Shard]:
    return sorted(shards, key=lambda shard: shard.shard_id)
