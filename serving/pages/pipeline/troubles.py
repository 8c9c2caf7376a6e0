"""What a person should look at: one entry for each cause, not for each shard, the worst first. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from clickstream.serving.api.progress import STATES, Shard
from clickstream.terminal import lasting

#: By state: what is wrong, and what to do. What stands between backticks is to be typed.
_TOLD = {
    "forbidden": (
        "{name} may not {cause} ({where})",
        "Give back the permission, the key or the resource (runbook: A shard may not do its work): it goes on by itself.",
    ),
    "dying": (
        "{name}: its worker died {deaths} times without moving {where}",
        'Its log says why, before the line "the worker died".',
    ),
    "silent": (
        "{name} has been silent for {age} ({where})",
        "Start its worker, or read its log. If it is over for good: `clickstream applications retire {name}`.",
    ),
    "waiting": ("{name} waits for {cause} ({where})", "Repair that store and nothing else: it then goes on by itself."),
    "behind": ("{name} is {lag} behind ({where})", "`clickstream shards advise` says what helps."),
}
#: So many shards are named one by one.
_NAMED = 3


class Trouble(msgspec.Struct, frozen=True):
    what: str
    do: str


def troubles(shards: Sequence[Shard]) -> list[Trouble]:
    """As of when the shards were read."""
    read = Counter(each.application for each in shards if each.state not in ("ended", "retired"))
    causes: dict[tuple[str, str, str], list[Shard]] = {}
    for each in shards:
        if each.state in _TOLD:
            causes.setdefault((each.state, each.application, _cause(each)), []).append(each)
    ranked = sorted(causes.items(), key=lambda found: (STATES.index(found[1][0].state), -max(e.lag_ms or 0 for e in found[1])))
    return [*(_trouble(*cause, same, read[cause[1]]) for cause, same in ranked), *_letters(shards)]


def _cause(shard: Shard) -> str:
    """What shards of one application must share to be one trouble."""
    if shard.state == "forbidden":
        return "{action} on {resource}".format_map(shard.waiting)
    return ", ".join(sorted(shard.breakers)) if shard.state == "waiting" else ""


def _trouble(state: str, name: str, cause: str, same: Sequence[Shard], of: int) -> Trouble:
    numbers = [each.shard.removeprefix("shardId-").lstrip("0") or "0" for each in same]
    some = f"shard {', '.join(numbers)}" if len(same) <= _NAMED else f"{len(same)} shards"
    facts = {
        "name": name,
        "cause": cause,
        "where": f"{some} of {of}" if len(same) < of else "all its shards",
        "deaths": max(each.deaths for each in same),
        "age": lasting(max(each.age_ms for each in same)),
        "lag": lasting(max(each.lag_ms or 0 for each in same)),
    }
    what, do = _TOLD[state]
    return Trouble(what.format_map(facts), do.format_map(facts))


def _letters(shards: Sequence[Shard]) -> list[Trouble]:
    """Every application sets the same bad record aside for itself: the most that one has is the least that there are."""
    kept: Counter[str] = Counter()
    for each in shards:
        if each.state != "retired":
            kept[each.application] += each.dead_letters
    by = [f"{name} {letters:,}" for name, letters in kept.most_common() if letters]
    what = f"Bad records so far: {max(kept.values(), default=0):,} (each application keeps its own letters: {', '.join(by)})"
    return [Trouble(what, "`clickstream dlq list` says why; after the repair, `clickstream dlq redrive`.")] if by else []
