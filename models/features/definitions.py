"""What to compute, as data: tracks keep what a key did, features read windows of them. Pure.

A *row* is one event: its kind, its time in milliseconds since the epoch (not negative) and its fields (numbers or text; absent,
None and "" are missing).
A window of a row at time t is ``(t - window, t]``: the row itself is inside, what happened exactly ``window`` ago is not. Of
rows with the same time, those count that arrived before. A row that arrives late sees what has arrived with a time up to its
own, and is seen by the rows that arrive after it; nothing that was computed is computed again.

With a ``delay`` the window is ``(t - delay - window, t - delay]``: what can be known of a label that takes so long to come.
"""

import hashlib
import math
from enum import StrEnum

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Aggregate(StrEnum):
    """What becomes of the observations in a window. Missing values are left out; nothing left gives the feature's ``empty``."""

    COUNT = "count"
    """Observations, whatever their values; 0 in an empty window, unless ``empty`` says otherwise."""
    SUM = "sum"
    MEAN = "mean"
    DISTINCT = "distinct"
    """How many different values."""
    SINCE = "since"
    """Seconds since the latest observation before the row itself."""
    RATIO = "ratio"
    """The row's own value over the mean of the earlier ones: how unusual it is for this key."""
    NOVEL = "novel"
    """1 when none of the earlier values equals the row's own, else 0."""


#: Aggregates that ask neither for an order nor for the row's own value, as parts of several shards can answer.
_ORDERLESS = frozenset({Aggregate.COUNT, Aggregate.SUM, Aggregate.MEAN, Aggregate.DISTINCT})


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One history per key: the times, and some fields, of the rows of some kinds."""

    name: str
    key: str
    """The field that holds the key; a row without it is not observed."""
    kinds: tuple[str, ...]
    columns: tuple[str, ...] = ()
    limit: int = 256
    """At most so many observations are kept per key, the latest by time: counts saturate here."""
    crosses: bool = False
    """Its key is not what the stream is partitioned by: each shard has a part of a history (``models.features.crossing``)."""


class Rolling(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One number out of a window of a track."""

    name: str
    track: str
    aggregate: Aggregate
    window_ms: int
    column: str = ""
    delay_ms: int = 0
    empty: float = math.nan


class Calendar(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A number out of the row's time (UTC)."""

    class Part(StrEnum):
        HOUR = "hour"
        """0 to 23."""
        WEEKDAY = "weekday"
        """0 is Monday."""
        WEEKEND = "weekend"
        """1 on Saturday and Sunday."""
        NIGHT = "night"
        """1 from 00:00 to 06:59."""

    name: str
    part: Part


class Own(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A number that the row itself has."""

    name: str
    field: str


Feature = Rolling | Calendar | Own


class FeatureSet(msgspec.Struct, frozen=True, kw_only=True):
    """Tracks, and the features that are read from them, in the order of a vector.

    Raises ValueError when a name is used twice or a feature refers to what there is not.
    """

    name: str
    tracks: tuple[Track, ...]
    features: tuple[Feature, ...]
    lateness_ms: int = DAY_MS
    """Rows that come at most so late see whole windows; the windows of later ones may be cut short."""

    def __post_init__(self) -> None:
        crossing = {track.name for track in self.tracks if track.crosses}
        columns = {track.name: track.columns for track in self.tracks}
        if len(columns) != len(self.tracks) or len(set(self.names)) != len(self.features):
            raise ValueError(f"{self.name}: a name is used twice")
        for feature in self.features:
            if not isinstance(feature, Rolling):
                continue
            if feature.track in crossing and feature.aggregate not in _ORDERLESS:
                raise ValueError(f"{self.name}: {feature.name} needs an order that the parts of several shards have not")
            needs_column = feature.aggregate not in (Aggregate.COUNT, Aggregate.SINCE)
            if feature.track not in columns or (needs_column and feature.column not in columns[feature.track]):
                raise ValueError(f"{self.name}: {feature.name} has no track {feature.track} with a column {feature.column!r}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def signature(self) -> str:
        """SHA-256 (hex) of the definition: a model fits only vectors of the very definition it was trained on."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()
