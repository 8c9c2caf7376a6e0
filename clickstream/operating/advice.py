"""What to change about a stream and its workers, why, and what it costs: a decision over one look at the load. Pure.

Rates are per second, times in milliseconds, costs in US dollars per month at the list prices below.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from clickstream.operating.resharding import Merge, Scale, Split, Step, bounds, described
from clickstream.records.routing import Shard

#: What Kinesis takes per shard.
WRITE_BYTES = 1_000_000
WRITE_RECORDS = 1_000
#: What it gives per shard, to all readers that poll together.
READ_BYTES = 2_000_000
#: A shard beyond this share of its limits is divided; one that a merge would bring beyond the second is not merged. They are
#: far apart, so that no advice is taken back by the next.
HOT, MERGED_AT_MOST, AIM = 0.8, 0.3, 0.6
#: An application that is so far behind, and falls further, needs help.
BEHIND_MS = 30_000
#: A split that leaves more than this share on one side does not help.
LOPSIDED = 0.9
#: Another mode must be so much cheaper.
WORTHWHILE = 0.7

# us-east-1, provisioned and on-demand standard, November 2026; a month has 730 hours
SHARD_MONTH = 0.015 * 730
MILLION_PUTS = 0.014
ON_DEMAND_MONTH = 0.04 * 730
GB_IN, GB_OUT = 0.08, 0.04
#: A Fargate task of 1 vCPU and 2 GB.
WORKER_MONTH = 36.0
_SECONDS = 730 * 3600


class ShardLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What an open shard was given lately. ``records_per_s`` counts Kinesis records, each of which may hold many events."""

    shard: Shard
    bytes_per_s: float
    records_per_s: float
    heaviest: tuple[str, float] | None = None
    """The key with the most bytes, and its share of them."""
    balance: tuple[int, float] | None = None
    """Where it is best divided, see :func:`balance`."""


class ShardLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far an application is behind on a shard, now and a while before."""

    shard_id: str
    owner: str
    behind_ms: int
    before_ms: int

    @property
    def needs_help(self) -> bool:
        return self.behind_ms >= BEHIND_MS and self.behind_ms > self.before_ms


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """An application, its workers that are alive, and its open shards."""

    application: str
    workers: int
    lags: tuple[ShardLag, ...]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a stream. ``polling``: readers that share the shards' read limit; the others have fan-out of their own."""

    on_demand: bool
    shards: tuple[ShardLoad, ...]
    readers: tuple[Reader, ...]
    polling: int
    day: tuple[float, float] | None = None
    """Mean and highest bytes per second of the last 24 hours, where they are known."""

    @property
    def bytes_per_s(self) -> float:
        return sum(load.bytes_per_s for load in self.shards)


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """``cost`` is per month. Without a ``step`` a person carries it out."""

    kind: Literal["add_worker", "reshard", "change_mode", "tame_key"]
    what: str
    """What is to be done."""
    reason: str
    cost: float
    step: Step | None = None
    """The change of shards that ``clickstream shards advise --apply`` carries out."""


def _reshard(step: Step, reason: str, cost: float = SHARD_MONTH) -> Advice:
    return Advice(kind="reshard", what=described(step), reason=reason, cost=cost, step=step)


def advise(situation: Situation) -> list[Advice]:
    """In the order of urgency; empty when all is well."""
    advice = [] if situation.on_demand else _capacity(situation)
    advice += _hot_keys(situation)
    advice += _slow_readers(situation, advice)
    if not advice and not situation.on_demand:
        advice = _merges(situation)
    return advice or _mode(situation)


def utilization(load: ShardLoad, polling: int) -> float:
    """Of the limit that the shard comes to first: bytes or records written, or bytes read by all that poll."""
    return max(load.bytes_per_s / WRITE_BYTES, load.records_per_s / WRITE_RECORDS, load.bytes_per_s * polling / READ_BYTES)


def _capacity(situation: Situation) -> list[Advice]:
    """Enough shards, and none of them overloaded."""
    used = {load.shard.shard_id: utilization(load, situation.polling) for load in situation.shards}
    hot = [load for load in situation.shards if used[load.shard.shard_id] >= HOT]
    current = len(used)
    needed = math.ceil(sum(used.values()) / AIM)
    if current > 1 and len(hot) * 2 > current:
        reason = f"{len(hot)} of {current} shards are beyond {HOT:.0%} of a limit; {needed} would be at {AIM:.0%}"
        return [_reshard(Scale(current, needed), reason, (needed - current) * SHARD_MONTH)]
    return [
        _reshard(
            step,
            f"{load.shard.shard_id} is at {used[load.shard.shard_id]:.0%} of a limit; "
            f"{load.balance[1]:.0%} of its bytes lie below that hash key",
        )
        for load in hot
        if load.balance is not None and not _is_one_key(load) and (step := _split(load))
    ]


def _hot_keys(situation: Situation) -> list[Advice]:
    """Keys that are too much for any shard: no change of shards helps."""
    found: list[Advice] = []
    for load in situation.shards:
        used = utilization(load, situation.polling)
        if used >= HOT and load.heaviest is not None and _is_one_key(load):
            key, share = load.heaviest
            reason = (
                f"{key} alone is {share:.0%} of {load.shard.shard_id}, which is at {used:.0%} of a limit; "
                "its events must stay in order, so no split divides them: limit its rate at the collector"
            )
            found.append(Advice(kind="tame_key", what=f"slow {key} down", reason=reason, cost=0.0))
    return found


def _is_one_key(load: ShardLoad) -> bool:
    """Whether nearly all of a shard's bytes are one key's."""
    return load.heaviest is not None and load.heaviest[1] >= LOPSIDED


def _split(load: ShardLoad) -> Split | None:
    """At its balance, if Kinesis takes that."""
    start, end = bounds(load.shard.hash_range)
    return Split(load.shard, load.balance[0]) if load.balance and start + 1 < load.balance[0] < end else None


def _slow_readers(situation: Situation, advice: Sequence[Advice]) -> list[Advice]:
    """Applications that fall behind, though the stream itself is well."""
    dividing = {each.step.shard.shard_id for each in advice if isinstance(each.step, Split)}
    scaling = any(isinstance(each.step, Scale) for each in advice)
    loads = {load.shard.shard_id: load for load in situation.shards}
    found: list[Advice] = []
    for reader in situation.readers:
        # shards that are to be divided already will have more processes
        late = [lag for lag in reader.lags if lag.needs_help and lag.shard_id not in dividing and not scaling]
        if not late:
            continue
        worst = max(late, key=lambda lag: lag.behind_ms)
        lagging = (
            f"{reader.application} is {worst.behind_ms / 1000:.0f} s behind on {worst.shard_id} and falls further"
            f" ({len(late)} of {len(reader.lags)} shards)"
        )
        crowded = reader.workers == 0 or any(sum(lag.owner == each.owner for each in reader.lags) > 1 for lag in late)
        if crowded:
            what = f"add a worker: clickstream worker {reader.application} -w <ID>"
            reason = f"{lagging}; {reader.workers} workers share {len(reader.lags)} shards"
            found.append(Advice(kind="add_worker", what=what, reason=reason, cost=WORKER_MONTH))
        elif (load := loads.get(worst.shard_id)) and not situation.on_demand and (step := _split(load)):
            found.append(_reshard(step, f"{lagging}; each shard has a worker to itself, so only another shard helps"))
    return found


def _merges(situation: Situation) -> list[Advice]:
    """Neighbours that would be one easy shard; each shard in one merge at most."""
    if any(lag.needs_help for reader in situation.readers for lag in reader.lags):
        return []
    loads = sorted(situation.shards, key=lambda load: load.shard.hash_range)
    found: list[Advice] = []
    merged: ShardLoad | None = None
    for lower, upper in pairwise(loads):
        together = utilization(lower, situation.polling) + utilization(upper, situation.polling)
        if lower is not merged and together <= MERGED_AT_MOST:
            merged = upper
            reason = f"together they would be at {together:.0%} of a limit"
            found.append(_reshard(Merge(lower.shard, upper.shard), reason, -SHARD_MONTH))
    return found


def _mode(situation: Situation) -> list[Advice]:
    """Whether the other mode would be cheaper, by a day's load where it is known."""
    mean, peak = situation.day or (situation.bytes_per_s, situation.bytes_per_s)
    readers = max(1, len(situation.readers))
    on_demand = ON_DEMAND_MONTH + mean * _SECONDS / 1e9 * (GB_IN + GB_OUT * readers)
    limit = min(WRITE_BYTES, READ_BYTES / max(1, situation.polling))
    needed = max(1, math.ceil(peak / (limit * HOT)))
    provisioned = needed * SHARD_MONTH + mean * _SECONDS / 25_000 / 1e6 * MILLION_PUTS
    now, then = (on_demand, provisioned) if situation.on_demand else (provisioned, on_demand)
    if then > WORTHWHILE * now:
        return []
    # AWS allows two such changes a day, so a person makes it
    what = f"change the stream to {'PROVISIONED' if situation.on_demand else 'ON_DEMAND'}"
    reason = f"{needed} provisioned shards carry the highest load for ${provisioned:.0f} a month, on demand is ${on_demand:.0f}"
    return [Advice(kind="change_mode", what=what, reason=reason, cost=then - now)]


def document(advice: Advice) -> dict[str, object]:
    return {
        "kind": advice.kind,
        "what": advice.what,
        "reason": advice.reason,
        "cost": round(advice.cost, 2),
        "applies": advice.step is not None,
    }


def line(advice: Advice) -> str:
    return f"{advice.what}\n  because {advice.reason}\n  costs {advice.cost:+,.2f} $ a month"


def balance(keys: Sequence[tuple[int, int]]) -> tuple[int, float] | None:
    """Where to divide (hash key, bytes) pairs so that the heavier side is lightest.

    The upper side's first hash key, and the share of the bytes below it; None when all bytes are on one hash key.
    """
    ordered = sorted(keys)
    total = sum(weight for _, weight in ordered)
    best: tuple[int, float] | None = None
    below = 0
    for (last, weight), (following, _) in pairwise(ordered):
        below += weight
        if last != following and (best is None or abs(below / total - 0.5) < abs(best[1] - 0.5)):
            best = ((last + following + 1) // 2, below / total)
    return best
