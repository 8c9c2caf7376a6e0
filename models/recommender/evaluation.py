"""How good recommendations are, by the field's next-item protocol. Pure.

For each session of the test and each of its clicks but the first, a recommender sees the clicks before it and lists the best
``LENGTH`` items; the next click counts by its place in the list. All positions weigh the same.

- Searches are no positions, and the baselines, which know nothing of them, do not see them: a position has a product before it.
- An item that was never in the training cannot be recommended: a position whose next click is one is a miss, not left out.
- Of items with equal scores the one that comes first in the vocabulary (ids in order of text) is listed first.
"""

import math
from collections.abc import Callable, Mapping, Sequence, Set

import msgspec
import numpy as np
import numpy.typing as npt

from clickstream.models.recommender.baselines import BASELINES, sessions_of
from clickstream.models.recommender.baselines import Recommender as Baseline
from clickstream.models.recommender.clicks import Clicks, Ints
from clickstream.models.recommender.index import build
from clickstream.models.recommender.parameters import Parameters
from clickstream.models.recommender.queries import are_queries
from clickstream.models.recommender.scoring import Neighbourhood, Own, Scorer

#: Items per list.
LENGTH = 20
UNKNOWN = -1
#: Whoever answers as this project does, in a report.
OURS = "neighbours"

Ranker = Callable[[Sequence[int], int], Sequence[int]]
"""(clicks so far, the latest last; how many) → items, best first. ``UNKNOWN`` stands for items outside the training."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Means over ``positions``; every figure but novelty lies in [0, 1].

    ``recall``: the next click is in the list; ``mrr``: 1/place, 0 outside; ``ndcg``: 1/log2(place + 1), 0 outside.
    ``coverage``: share of the training's items that any list held; ``novelty``: bits, -log2 of an item's share of the
    training's clicks, over all listed items.
    """

    positions: int
    recall: float
    mrr: float
    ndcg: float
    coverage: float
    novelty: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``all``: every position. ``unseen``: positions whose next click is new to its session, with only new items listed."""

    all: Quality
    unseen: Quality


class _Tally:
    def __init__(self, bits: Mapping[int, float]) -> None:
        self._bits = bits
        self._places: list[int] = []
        self._listed: set[int] = set()
        self._novelty = 0.0
        self._shown = 0

    def add(self, listed: Sequence[int], target: int) -> None:
        self._places.append(listed.index(target) + 1 if target in listed else 0)
        self._listed.update(listed)
        self._novelty += sum(self._bits[item] for item in listed)
        self._shown += len(listed)

    def quality(self) -> Quality:
        positions = max(1, len(self._places))
        hits = [place for place in self._places if place]
        return Quality(
            positions=len(self._places),
            recall=len(hits) / positions,
            mrr=sum(1 / place for place in hits) / positions,
            ndcg=sum(map(gain, hits)) / positions,
            coverage=len(self._listed) / max(1, len(self._bits)),
            novelty=self._novelty / max(1, self._shown),
        )


def gain(place: int) -> float:
    """What nDCG gives for the next click at a place of the list, the first being 1; 0 is outside of it."""
    return 1 / math.log2(place + 1) if place else 0.0


def measure(
    ranker: Ranker, sessions: Sequence[Sequence[int]], clicked: Sequence[int], queries: Set[int] = frozenset()
) -> Result:
    """``sessions`` of the test, in the training's items; ``clicked``: clicks per item in the training; ``queries``: items."""
    total = sum(count for item, count in enumerate(clicked) if item not in queries)
    bits = {item: -math.log2(count / total) for item, count in enumerate(clicked) if item not in queries}
    everything, unseen = _Tally(bits), _Tally(bits)
    for session in sessions:
        for place in range(1, len(session)):
            past, target = session[:place], session[place]
            seen = set(past)
            if target in queries or seen <= queries:
                continue
            listed = ranker(past, LENGTH + len(seen))
            everything.add(listed[:LENGTH], target)
            if target not in seen:
                unseen.add([item for item in listed if item not in seen][:LENGTH], target)
    return Result(all=everything.quality(), unseen=unseen.quality())


def evaluate(training: Clicks, test: Clicks, parameters: Parameters, name: str) -> Result:
    """One of the baselines, or ``OURS``; all are asked for the same positions."""
    clicked = np.bincount(training.items, minlength=len(training.vocabulary)).tolist()
    searches = are_queries(training.vocabulary)
    queries = frozenset(np.flatnonzero(searches).tolist())
    ranker = ours(training, parameters) if name == OURS else ranked(BASELINES[name](_without(training, searches)), queries)
    return measure(ranker, in_items_of(training, test), clicked, queries)


def _without(clicks: Clicks, left_out: npt.NDArray[np.bool_]) -> Clicks:
    """``left_out``, by item; the vocabulary stays as it is."""
    kept = ~left_out[clicks.items]
    starts = np.concatenate([[0], np.cumsum(kept)])[clicks.starts].astype(np.int32)
    return msgspec.structs.replace(clicks, starts=starts, items=clicks.items[kept])


def in_items_of(training: Clicks, test: Clicks) -> list[list[int]]:
    """The test's sessions as places in the training's vocabulary, ``UNKNOWN`` for what is not in it.

    Searches that are not in it are left out: they say nothing, and are no clicks that could have been foreseen.
    """
    places = {item: place for place, item in enumerate(training.vocabulary)}
    numbers: Ints = np.array([places.get(item, UNKNOWN) for item in test.vocabulary], np.int32)
    told = _without(test, are_queries(test.vocabulary) & (numbers == UNKNOWN))
    return sessions_of(msgspec.structs.replace(told, items=numbers[told.items]))


def ranked(baseline: Baseline, queries: Set[int] = frozenset()) -> Ranker:
    """A baseline's scores as a list; it sees no ``queries``."""

    def rank(past: Sequence[int], count: int) -> Sequence[int]:
        answer = baseline([item for item in past if item not in queries])
        return sorted(answer, key=lambda item: (-answer[item], item))[:count]

    return rank


def ours(training: Clicks, parameters: Parameters) -> Ranker:
    """The model that the platform serves."""
    scorer = Scorer([Neighbourhood(build(training, parameters), parameters)], parameters, are_queries(training.vocabulary))

    def rank(past: Sequence[int], count: int) -> Sequence[int]:
        own = [item for item in dict.fromkeys(reversed(past)) if item != UNKNOWN][: parameters.window]
        listed: list[int] = scorer.recommend(Own(own, [1.0] * len(own)), count).items.tolist()
        return listed

    return rank
