"""What a person should look at: one entry for each cause, not for each shard, the worst first. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from clickstream.consumers.needs import applications
from clickstream.serving.api.progress import Shard, State
from clickstream.terminal import lasting

#: The states that are troubles, the worst first: who may not, or does not live, will not catch up by itself.
_WORST: tuple[State, ...] = ("forbidden", "dying", "silent", "waiting", "behind")
#: So many shards are named one by one.
_NAMED = 3


class Trouble(msgspec.Struct, frozen=True):
    """``what`` is known, and what to ``do``; what stands between backticks is to be typed."""

    what: str
    do: str


def troubles(shards: Sequence[Shard]) -> list[Trouble]:
    """As of when the shards were read."""
    read = Counter(each.application for each in shards if each.state not in ("ended", "retired"))
    causes: dict[tuple[int, str, str], list[Shard]] = {}
    for each in shards:
        if each.state in _WORST:
            causes.setdefault((_WORST.index(each.state), each.application, _cause(each)), []).append(each)
    ranked = sorted(causes.items(), key=lambda found: (found[0][0], -max(each.lag_ms or 0 for each in found[1]), found[0]))
    return [*(_trouble(same, cause, read[name]) for (_, name, cause), same in ranked), *_letters(shards)]


def _cause(shard: Shard) -> str:
    """What shards of one application must share to be one trouble."""
    if shard.state == "forbidden":
        return "{action} on {resource}".format_map(shard.waiting)
    return ", ".join(f"{name} ({state})" for name, state in sorted(shard.breakers.items())) if shard.state == "waiting" else ""


def _trouble(same: Sequence[Shard], cause: str, of: int) -> Trouble:
    name, state = same[0].application, same[0].state
    numbers = [each.shard.removeprefix("shardId-").lstrip("0") or "0" for each in same]
    where = f"shard {', '.join(numbers)}" if len(same) <= _NAMED else f"{len(same)} shards"
    where = f"{where} of {of}" if len(same) < of else "all shards" if of > 1 else "its one shard"
    if state == "forbidden":
        do = "Give back the permission, the key or the resource (runbook: A shard may not do its work): it goes on by itself."
        return Trouble(f"{name} may not {cause} ({where})", do)
    if state == "dying":
        deaths = max(each.deaths for each in same)
        do = 'Its log says why, before the line "the worker died".'
        return Trouble(f"{name}: its worker died {deaths} times without moving {where}", do)
    if state == "silent":
        over = f"If it is over for good: `clickstream applications retire {name}`."
        # a shadow's worker is started by another command
        do = f"Is its worker alive? Its log, or `clickstream worker {name}`. {over}" if name in applications() else over
        return Trouble(f"{name} has been silent for {lasting(max(each.age_ms for each in same))} ({where})", do)
    if state == "waiting":
        return Trouble(f"{name} waits for {cause} ({where})", "Repair that store and nothing else: it then goes on by itself.")
    lag_ms = max(each.lag_ms or 0 for each in same)
    return Trouble(f"{name} is {lasting(lag_ms)} behind ({where})", "`clickstream shards advise` says what helps.")


def _letters(shards: Sequence[Shard]) -> list[Trouble]:
    """Every application sets the same bad record aside for itself: the most that one has is the least that there are."""
    kept: Counter[str] = Counter()
    for each in shards:
        if each.state != "retired":
            kept[each.application] += each.dead_letters
    if not kept.total():
        return []
    by = ", ".join(f"{name} {letters:,}" for name, letters in kept.most_common() if letters)
    most = max(kept.values())
    what = (
        f"{most:,} bad {'record' if most == 1 else 'records'} set aside so far (each application keeps its own letters: {by})"
    )
    return [Trouble(what, "`clickstream dlq list` says why; after the repair, `clickstream dlq redrive`.")]
