"""How to change the number of shards: what Kinesis would refuse is refused here, a call is a step. Pure."""

from collections.abc import Sequence

import msgspec

from clickstream.errors import Missing, UserMistake
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard

_LIST = "`clickstream shards list` shows them"


class Split(msgspec.Struct, frozen=True, tag="split"):
    """Divide an open shard: its children hold the hash keys below ``at`` and from ``at`` on."""

    shard: Shard
    at: int


class Merge(msgspec.Struct, frozen=True, tag="merge"):
    """Make one shard of two open neighbours; ``shard`` has the lower hash keys."""

    shard: Shard
    adjacent: Shard


class Scale(msgspec.Struct, frozen=True, tag="scale"):
    """Go from ``current`` open shards to ``target`` of equal size, as UpdateShardCount does."""

    current: int
    target: int


Step = Split | Merge | Scale


def find(shards: Sequence[Shard], name: str) -> Shard:
    """The shard with this id; its number alone is enough. Raises Missing."""
    wanted = f"shardId-{int(name):012d}" if name.isdecimal() and name.isascii() else name
    for shard in shards:
        if shard.shard_id == wanted:
            return shard
    raise Missing(f"the stream has no shard {name}", hint=_LIST)


def split(shards: Sequence[Shard], name: str, at: int | None = None) -> Split:
    """``at`` None is the middle. Raises UserMistake where Kinesis would refuse."""
    shard = _open(find(shards, name))
    start, end = bounds(shard.hash_range)
    if at is None:
        at = (start + end + 1) // 2
    if not start + 1 < at < end:
        raise UserMistake(
            f"{shard.shard_id} cannot be split at {at:#x}",
            hint=f"choose a hash key above {start + 1:#x} and below {end:#x}, or `middle`",
        )
    return Split(shard, at)


def merge(shards: Sequence[Shard], one: str, other: str) -> Merge:
    """Raises UserMistake unless both are open and their ranges touch."""
    lower, upper = sorted((_open(find(shards, one)), _open(find(shards, other))), key=lambda shard: shard.hash_range)
    if not _touch(lower, upper):
        neighbours = [each.shard_id for each in shards if each.is_open and (_touch(lower, each) or _touch(each, lower))]
        raise UserMistake(
            f"{lower.shard_id} and {upper.shard_id} are not neighbours: only shards whose hash ranges touch can be merged",
            hint=f"{lower.shard_id} can be merged with {' or '.join(neighbours)}" if neighbours else _LIST,
        )
    return Merge(lower, upper)


def _touch(lower: Shard, upper: Shard) -> bool:
    return bounds(lower.hash_range)[1] + 1 == bounds(upper.hash_range)[0]


def are_equal(shards: Sequence[Shard]) -> bool:
    """Whether the open shards divide the hash keys into equal ranges, but for rounding."""
    sizes = [share(*bounds(shard.hash_range)) for shard in shards if shard.is_open]
    return max(sizes) - min(sizes) < 1e-6


def scale(current: int, target: int, *, equal: bool = True) -> list[Scale]:
    """The way from ``current`` to ``target`` open shards of equal size; empty when it is there already.

    Kinesis takes at most twice and at least half of the open shards in one call: 8 → 3 goes by way of 4. As many shards that
    are not ``equal`` go by way of one more, since a call that changes no number need not change any range.

    >>> [step.target for step in scale(8, 3)], [step.target for step in scale(2, 9)]
    ([4, 3], [4, 8, 9])
    """
    if current == target and not equal:
        return [Scale(current, current + 1), Scale(current + 1, current)]
    steps: list[Scale] = []
    while current != target:
        reached = min(target, current * 2) if target > current else max(target, (current + 1) // 2)
        steps.append(Scale(current, reached))
        current = reached
    return steps


def bounds(hash_range: HashRange) -> tuple[int, int]:
    """First and last hash key as numbers."""
    return int.from_bytes(hash_range.start, "big"), int.from_bytes(hash_range.end, "big")


def share(start: int, end: int) -> float:
    """Of the hash key space, between 0 and 1."""
    return (end - start + 1) / (MAX_HASH_KEY + 1)


def described(step: Step) -> str:
    """The step for a person, without a verb form that says whether it has been done."""
    match step:
        case Split(shard, at):
            start, end = bounds(shard.hash_range)
            return f"split {shard.shard_id} at {at:#034x} into {share(start, at - 1):.2%} and {share(at, end):.2%}"
        case Merge(shard, adjacent):
            merged = bounds(shard.hash_range)[0], bounds(adjacent.hash_range)[1]
            return f"merge {shard.shard_id} and {adjacent.shard_id} into {share(*merged):.2%}"
        case Scale(current, target):
            return f"scale from {current} to {target} open shards of {1 / target:.2%} each"


def _open(shard: Shard) -> Shard:
    if not shard.is_open:
        raise UserMistake(f"{shard.shard_id} is closed: it was split or merged before", hint=f"choose an open shard; {_LIST}")
    return shard
