"""Histories whose key is not the partition key: each shard holds a part, and a reader of all parts sees the whole. Pure.

A part is absolute: a shard's observations of a key, at most the track's limit of them, with their times. So whoever reads the
parts answers as of any row's time, whatever else the shards have seen since, and a part that is written again changes nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from clickstream.models.features.definitions import FeatureSet, Rolling, Track
from clickstream.models.features.history import TIME_SIZE, limit, numbers
from clickstream.models.features.plans import track_plan, vector_plan
from clickstream.models.features.reading import NO_NUMBERS, read

#: Of what a part's bytes mean: code that writes others does not meet them.
_FORMAT = 2
#: Observations of a key that are kept of all ended shards together, the latest: counts saturate there too.
MOST_FOLDED = 1_024


class Part(msgspec.Struct, frozen=True, gc=False):
    """``seen`` names the track and the key, see :func:`seen`; ``content`` is one shard's history of it."""

    seen: str
    content: bytes


#: Of a row that has no such key.
NO_PART = Part("", b"")


def seen(track: Track, key: str) -> str:
    """The name of a key of a track, under its definition: code that keeps something else does not meet it."""
    return f"{track.name}.{_definition(track)}:{key}"


def _definition(track: Track) -> str:
    definition = (_FORMAT, track.columns, track.kinds)
    return hashlib.sha256(msgspec.json.encode(definition, order="sorted")).hexdigest()[:8]


class Crossing:
    """Reads the crossing tracks' features of one feature set from the parts of all shards."""

    def __init__(self, features: FeatureSet) -> None:
        self._plans = [track_plan(features, place) for place, track in enumerate(features.tracks) if track.crosses]
        names = {plan.track.name for plan in self._plans}
        #: The places of the crossing features in a vector.
        self.places = [
            at for at, feature in enumerate(features.features) if isinstance(feature, Rolling) and feature.track in names
        ]
        self._empty = [vector_plan(features).empty[at] for at in self.places]

    def filled(
        self, vector: Sequence[float], own: Sequence[Part], time_ms: int, others: Mapping[str, Sequence[bytes]]
    ) -> tuple[float, ...]:
        """The vector with its crossing features as of ``time_ms``.

        ``own``: what ``Engine.parts_of`` gave for the row in its place; ``others``: the other shards' parts, by name.
        Raises ValueError for a part that is none.
        """
        whole = list(vector)
        for at, empty in zip(self.places, self._empty, strict=True):
            whole[at] = empty
        for plan, part in zip(self._plans, own, strict=True):
            if part.seen:
                history = merged([part.content, *others.get(part.seen, ())], plan.layout.size)
                read(plan, history, -plan.reach_ms, time_ms, NO_NUMBERS, False, whole)
        return tuple(whole)

    def folded(self, name: str, parts: Sequence[bytes]) -> bytes | None:
        """Parts that change no more, as one that reads like them; None for the name of a key under another definition.

        What no window reaches is left out, for rows that are at most as late as the feature set allows.
        """
        plan = next((plan for plan in self._plans if name.startswith(seen(plan.track, ""))), None)
        if plan is None:
            return None
        history = merged(parts, plan.layout.size)[-MOST_FOLDED * plan.layout.size :]
        if not history:
            return history
        newest_ms = int(numbers(history[-plan.layout.size :])[0])
        return plan.layout.later(history, limit(newest_ms - plan.reach_ms))


def merged(parts: Sequence[bytes], size: int) -> bytes:
    """All shards' observations of one key, in order of time; of equal times in no order that means anything.

    ``size``: bytes of an observation.
    """
    if len(parts) == 1:
        return parts[0]
    records = [part[at : at + size] for part in parts for at in range(0, len(part), size)]
    records.sort(key=_time_of)
    return b"".join(records)


def _time_of(record: bytes) -> bytes:
    return record[:TIME_SIZE]
