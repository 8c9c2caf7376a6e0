"""``GET /v1/progress``: every application on every shard, as the API and the page Pipeline give it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Annotated

import msgspec
from msgspec import Meta

from clickstream.consumers.analytics.views import ShardProgress, put_to_visible
from clickstream.serving.api.operation import Moment, Operation, Sheet
from clickstream.serving.progress import ProgressReader
from clickstream.serving.speeds import Speed


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One application on one shard as of its last commit or heartbeat."""

    application: str
    shard: str
    owner: str
    position: str | None
    ended: Annotated[bool, Meta(description="a closed shard that was read to its end")]
    lag_ms: Annotated[int | None, Meta(description="behind the stream's end; null while the owner has not committed yet")]
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
    shards: int
    ended: int
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
    return [_shard(row, speeds.get((row.application, row.shard), _UNKNOWN), now_ms) for row in rows]


def _shard(row: ShardProgress, speed: Speed, now_ms: int) -> Shard:
    return Shard(
        **{name: getattr(row, name) for name in _AS_IT_IS},
        lag_ms=row.behind_ms,
        lag_events=speed.waiting,
        per_second=speed.per_second,
        watermark=row.watermark_ms or None,
        age_ms=max(0, now_ms - row.updated_at),
        checkpoint_age_ms=max(0, now_ms - row.committed_at) if row.committed_at else None,
    )


def applications(rows: Sequence[ShardProgress], speeds: Mapping[tuple[str, str], Speed]) -> list[Application]:
    """``rows`` in order of applications, each summed up over its shards."""
    return [_application(name, list(shards), speeds) for name, shards in groupby(rows, key=lambda row: row.application)]


def _application(name: str, rows: Sequence[ShardProgress], speeds: Mapping[tuple[str, str], Speed]) -> Application:
    moving = [row for row in rows if not row.ended]
    known = [speeds.get((name, row.shard), _UNKNOWN) for row in moving]
    rates = [speed.per_second for speed in known if speed.per_second is not None]
    waiting = [speed.waiting for speed in known if speed.waiting is not None]
    wait = put_to_visible(rows)
    return Application(
        application=name,
        shards=len(moving),
        ended=len(rows) - len(moving),
        events=sum(row.events for row in rows),
        per_second=round(sum(rates), 1) if rates else None,
        lag_ms=max((row.behind_ms for row in moving if row.behind_ms is not None), default=None),
        lag_events=sum(waiting) if waiting else None,
        dead_letters=sum(row.dead_letters for row in rows),
        p50_ms=None if wait is None else wait.p50_ms,
        p99_ms=None if wait is None else wait.p99_ms,
    )


def _read(reader: ProgressReader, now_ms: int) -> Progress:
    seen = reader.read(now_ms)
    return Progress(
        now=now_ms,
        complete_to=seen.completeness.complete_to,
        lateness_ms=seen.completeness.lateness_ms,
        late_share=seen.completeness.late_share,
        applications=applications(seen.rows, seen.speeds),
        progress=shards(seen.rows, seen.speeds, now_ms),
    )


_COLUMNS = ["application", "shard", "owner", "position", "ended", "lag_ms", "lag_events", "per_second", "checkpoint_age_ms"]
_COLUMNS += ["events", "duplicates", "dead_letters", "foreign"]


def _rows(answer: Progress) -> list[list[object]]:
    return [[*_COLUMNS], *([getattr(row, name) for name in _COLUMNS] for row in answer.progress)]


PROGRESS = Operation(
    "/v1/progress", "Every application on every shard", "progress", Progress, _read, sheet=Sheet("progress", _rows)
)
