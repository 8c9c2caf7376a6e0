"""The JSON API's answers as types: what is encoded, and what the OpenAPI document describes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from consumers.analytics.views import Estimate, Funnel
from serving.read_model import Granularity

Ranking = Annotated[list[tuple[str, int]], Meta(description="[key, count], by count descending, then key")]
Moment = Annotated[int, Meta(description="ms since the epoch, UTC")]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What happened between two moments of event time. ``revenue``: minor units by currency."""

    start: Moment
    end: Moment
    complete: Annotated[bool, Meta(description="all that arrives within the usual lateness is counted")]
    events: int
    counts: Annotated[dict[str, int], Meta(description="events by type")]
    orders: int
    revenue: Annotated[dict[str, int], Meta(description="minor units by currency")]
    uniques: Annotated[Estimate, Meta(description="visitors, with the bounds of 95 % confidence")]
    funnel: Annotated[Funnel, Meta(description="unique sessions that viewed; added to the cart after; purchased after that")]
    products: Ranking
    categories: Ranking
    carted: Ranking
    bought: Ranking
    searches: Ranking
    countries: Ranking
    devices: Ranking
    bounds: Annotated[dict[str, int], Meta(description="rankings that are not exact: any count may be up to so much higher")]


class Aggregates(msgspec.Struct, frozen=True, kw_only=True):
    """Windows that hold any event, oldest first."""

    granularity: Granularity
    from_: Moment = msgspec.field(name="from")
    to: Moment
    complete_to: Moment | None
    windows: list[Window]


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


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer."""

    error: str
    hint: str = ""
