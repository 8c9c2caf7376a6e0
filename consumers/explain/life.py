"""What is known of one event, and how the pieces belong together. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET

from clickstream.errors import Rejected
from clickstream.events import AnyEvent
from clickstream.progress.shards_table import ShardProgress
from clickstream.records.position import Position

if TYPE_CHECKING:
    from clickstream.consumers.analytics.views import Wait

Fate = Literal["takes effect", "duplicate", "rejected", "not at home"]
State = Literal["processed", "waiting", "dead-lettered", "not for it", "not reading"]


class Stretch(msgspec.Struct, frozen=True):
    """Arrival times to be searched, milliseconds since the epoch; ``start_ms`` None is the oldest record kept."""

    start_ms: int | None
    end_ms: int | None


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """What a search that was ended has not read of a shard: what arrived ``since``; None is the oldest record kept."""

    shard: str
    since: int | None


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A user record with the event's id, one of ``members`` in its record of the stream; ``redriven_for`` is an application."""

    shard: str
    sequence_number: str
    sub_sequence_number: int
    arrived_at: int
    members: int
    fate: Fate
    redriven_for: str | None = None
    reason: str | None = None

    @property
    def position(self) -> Position:
        return Position(int(self.sequence_number), self.sub_sequence_number)


class Sighting(NamedTuple):
    """A put that is not judged yet. ``at_home``: its user hashes into this shard; elsewhere the shard refuses it."""

    put: Put
    at_home: bool
    event: AnyEvent | Rejected


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What an application has made of the event. ``at`` is when it was written first, None where that is not kept."""

    what: str
    at: int | None = None
    model_version: str | None = None
    facts: dict[str, Any] = {}


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that waits in the queue."""

    letter: str
    application: str
    position: str
    reason: str
    path: str
    code_version: str


class Processing(msgspec.Struct, frozen=True, kw_only=True):
    """One application's part in the event's life. ``latency_ms``: put to this effect; the other two are the shard's usual."""

    application: str
    state: State
    shard: str | None = None
    position: str | None = None
    committed: str | None = None
    owner: str | None = None
    behind_ms: int | None = None
    effect: Effect | None = None
    latency_ms: int | None = None
    usual_p50_ms: int | None = None
    usual_p99_ms: int | None = None


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known. ``letters`` None: the queue was not read, since reading it hides its letters from others."""

    event_id: str
    made_at: int | None
    """The time in its id, if it is a UUIDv7: when the client or the collector made it."""
    type: str | None
    user_id: str | None
    session_id: str | None
    occurred_at: int | None
    trace_id: str | None
    searched: Stretch
    shards_searched: list[str]
    not_searched: list[Unread]
    """Empty when the search came to its end."""
    puts: list[Put]
    applications: list[Processing]
    letters: list[Letter] | None
    order: dict[str, Any] | None = None


_UUID7 = re.compile("([0-9a-fA-F]{12})7.{19}")


def made_at(event_id: str) -> int | None:
    """The time in a UUIDv7, milliseconds since the epoch; None for any other id."""
    found = _UUID7.fullmatch(event_id.replace("-", ""))
    return int(found[1], 16) if found else None


def stretches(around_ms: int | None, now_ms: int) -> list[Stretch]:
    """Where to search, the likely and cheap first: an event is mostly put within seconds, seldom minutes later or 'earlier'."""
    if around_ms is None:
        return [Stretch(None, None)]
    near = Stretch(around_ms - 10_000, around_ms + 60_000)
    far = Stretch(around_ms - 5 * 60_000, around_ms + 15 * 60_000)
    return [near, far] if near.start_ms is not None and near.start_ms < now_ms else [far]


def judged(sightings: Sequence[Sighting]) -> list[Put]:
    """Every put in order of arrival: a user's first good one takes effect, those after it are duplicates."""
    puts: list[Put] = []
    seen: set[str] = set()
    for put, at_home, event in sorted(sightings, key=lambda each: (each.put.arrived_at, each.put.position)):
        fate: Fate = "takes effect"
        redriven_for = reason = None
        if not at_home:
            fate, reason = "not at home", f"{put.shard} refused it: its user_id hashes into another shard"
        elif isinstance(event, Rejected):
            fate, reason = "rejected", str(event)
        elif event.redriven_for is not UNSET:
            redriven_for = event.redriven_for
        else:
            fate = "duplicate" if event.user_id in seen else "takes effect"
            seen.add(event.user_id)
        puts.append(msgspec.structs.replace(put, fate=fate, redriven_for=redriven_for, reason=reason))
    return puts


def put_for(application: str, puts: Sequence[Put], rejected: Collection[str] = ()) -> Put | None:
    """The put that this application takes: the first good one, or one redriven for it; failing these, one that it rejects.

    ``rejected`` names positions whose letters wait, and what was redriven had been rejected before: today's code may take both.
    """
    puts = [msgspec.structs.replace(put, fate="rejected") if str(put.position) in rejected else put for put in puts]
    good = [put for put in puts if put.fate == "takes effect" and put.redriven_for in (None, application)]
    good.sort(key=lambda put: put.redriven_for is None)
    bad = [put for put in puts if put.fate == "rejected"]
    return next(iter(good or bad), None)


def processing(
    application: str, put: Put, shard: ShardProgress | None, usual: Wait | None, effect: Effect | None, now_ms: int
) -> Processing:
    """What the application has made of this put, by how far it has committed and what its store holds."""
    position = str(put.position)
    passed = shard is not None and shard.position is not None and shard.position >= position
    if shard is None or (shard.retired and not passed):
        return Processing(application=application, state="not reading", shard=put.shard, position=position)
    state: State = "waiting"
    if put.fate == "rejected" and passed:
        state = "dead-lettered"
    elif passed or effect is not None:
        state = "processed"
    at = None if effect is None else effect.at
    return Processing(
        application=application,
        state=state,
        shard=put.shard,
        position=position,
        committed=shard.position,
        owner=shard.owner or None,
        behind_ms=shard.lag_ms(now_ms),
        effect=effect,
        latency_ms=None if at is None else max(0, at - put.arrived_at),
        usual_p50_ms=None if usual is None else usual.p50_ms,
        usual_p99_ms=None if usual is None else usual.p99_ms,
    )
