"""``GET /v1/progress``: every application on every shard, as the API and the page Pipeline give it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from clickstream.consumers.analytics.views import ShardProgress, put_to_visible
from clickstream.serving.api.operation import Moment, Operation, Sheet
from clickstream.serving.progress import ProgressReader
from clickstream.serving.speeds import Speed

State = Literal["forbidden", "dying", "silent", "waiting", "behind", "starting", "current", "retired", "ended"]
#: The worst first.
STATES: tuple[State, ...] = get_args(State)
SLOW_MS = 30_000


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One application on one shard as of its last commit or heartbeat."""

    application: str
    shard: str
    state: Annotated[State, Meta(description="waiting: for a store; retired: nobody is to read it; ended: read to its end")]
    owner: str
    position: str | None
    ended: Annotated[bool, Meta(description="a closed shard that was read to its end")]
    lag_ms: Annotated[int | None, Meta(description="behind the stream's end, grown by a silence; null: unknown, or not read")]
    lag_events: Annotated[int | None, Meta(description="about how many events are still to be read; null when not known")]
    per_second: Annotated[float | None, Meta(description="events processed, over the last ten seconds")]
    watermark: Annotated[Moment | None, Meta(description="the latest event time seen")]
    updated_at: Moment
    age_ms: Annotated[int, Meta(description="since its last word")]
    checkpoint_age_ms: Annotated[int | None, Meta(description="since its last commit of state and position")]
    events: int
    duplicates: int
    dead_letters: int
    foreign: Annotated[int, Meta(description="refused: their keys belong to another shard")]
    breakers: Annotated[dict[str, str], Meta(description="dependencies that count as down")]
    waiting: Annotated[dict[str, str | int], Meta(description="what it may not do: action, resource, since; or empty")]
    deaths: Annotated[int, Meta(description="how often its worker ended by itself since the shard last moved")]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """All shards of one application together."""

    application: str
    state: Annotated[State, Meta(description="of the shard that is worst off")]
    updated_at: Annotated[Moment, Meta(description="its last word")]
    shards: Annotated[int, Meta(description="that are to be read")]
    ended: int
    retired: int
    events: int
    per_second: float | None
    lag_ms: Annotated[int | None, Meta(description="of the shard that is behind most")]
    lag_events: int | None
    dead_letters: int
    p50_ms: Annotated[int | None, Meta(description="from the put of an event to its visible effect, sampled")]
    p99_ms: int | None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the applications have come."""

    now: Moment
    complete_to: Moment | None
    lateness_ms: Annotated[int, Meta(description="an event that came later may be missing in what is complete")]
    late_share: Annotated[float, Meta(description="of the last events, those that came later: one in 1,000 at most")]
    applications: list[Application]
    progress: list[Shard]


#: What a shard's row says is answered as it is.
_AS_IT_IS = [name for name in Shard.__struct_fields__ if name in ShardProgress.__struct_fields__]
_UNKNOWN = Speed(None, None)


def shards(rows: Iterable[ShardProgress], speeds: Mapping[tuple[str, str], Speed], now_ms: int) -> list[Shard]:
    """As seen at ``now_ms``."""
    return [_shard(row, _state(row, now_ms), speeds.get((row.application, row.shard), _UNKNOWN), now_ms) for row in rows]


def _state(row: ShardProgress, now_ms: int) -> State:
    lag_ms = row.lag_ms(now_ms)
    states: list[tuple[State, object]] = [
        ("ended", row.ended),
        ("retired", row.retired),
        ("forbidden", row.waiting),
        ("dying", row.deaths > 1),
        ("silent", row.silent_ms(now_ms)),
        ("starting", lag_ms is None),
        ("waiting", row.breakers),
        ("behind", (lag_ms or 0) > SLOW_MS),
    ]
    return next((state for state, applies in states if applies), "current")


def _shard(row: ShardProgress, state: State, speed: Speed, now_ms: int) -> Shard:
    return Shard(
        state=state,
        **{name: getattr(row, name) for name in _AS_IT_IS},
        lag_ms=row.lag_ms(now_ms),
        lag_events=speed.waiting,
        per_second=speed.per_second,
        watermark=row.watermark_ms or None,
        age_ms=max(0, now_ms - row.updated_at),
        checkpoint_age_ms=max(0, now_ms - row.committed_at) if row.committed_at else None,
    )


def applications(rows: Sequence[ShardProgress], seen: Iterable[Shard]) -> list[Application]:
    """``rows`` in order of applications, each summed up over its shards; ``seen``: what :func:`shards` makes of them."""
    both = groupby(zip(rows, seen, strict=True), key=lambda each: each[0].application)
    return [_application(name, *zip(*pairs, strict=True)) for name, pairs in both]


def _application(name: str, rows: Sequence[ShardProgress], shards: Sequence[Shard]) -> Application:
    read = [shard for shard in shards if shard.state not in ("ended", "retired")]
    rates = [shard.per_second for shard in read if shard.per_second is not None]
    lags = [shard.lag_ms for shard in read if shard.lag_ms is not None]
    waiting = [shard.lag_events for shard in read if shard.lag_events is not None]
    wait = put_to_visible(rows)
    return Application(
        application=name,
        state=min((shard.state for shard in shards), key=STATES.index),
        updated_at=max(row.updated_at for row in rows),
        shards=len(read),
        ended=sum(shard.ended for shard in shards),
        retired=sum(shard.state == "retired" for shard in shards),
        events=sum(row.events for row in rows),
        per_second=round(sum(rates), 1) if rates else None,
        lag_ms=max(lags, default=None),
        # a sum without those that are not known would be too little
        lag_events=sum(waiting) if waiting and len(waiting) == len(read) else None,
        dead_letters=sum(row.dead_letters for row in rows),
        p50_ms=None if wait is None else wait.p50_ms,
        p99_ms=None if wait is None else wait.p99_ms,
    )


def _read(reader: ProgressReader, now_ms: int) -> Progress:
    seen = reader.read(now_ms)
    read = shards(seen.rows, seen.speeds, now_ms)
    return Progress(
        now=now_ms,
        complete_to=seen.completeness.complete_to,
        lateness_ms=seen.completeness.lateness_ms,
        late_share=seen.completeness.late_share,
        applications=applications(seen.rows, read),
        progress=read,
    )


_COLUMNS = ["application", "shard", "owner", "position", "ended", "lag_ms", "lag_events", "per_second", "checkpoint_age_ms"]
_COLUMNS += ["events", "duplicates", "dead_letters", "foreign"]


def _rows(answer: Progress) -> list[list[object]]:
    return [[*_COLUMNS], *([getattr(row, name) for name in _COLUMNS] for row in answer.progress)]


PROGRESS = Operation(
    "/v1/progress", "Every application on every shard", "progress", Progress, _read, sheet=Sheet("progress", _rows)
)
