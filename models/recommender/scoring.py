"""One session's answer: its neighbours' clicks, weighted by order, rarity and age, with rules and popularity behind them. Pure.

The family is V-SKNN and VMIS-kNN: sessions that share an item with this one vote for their other items. What is here says what
an answer is; ``scoring.c`` says the same in a sixth of the time, and answers where it could be compiled.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clickstream.models.recommender import compiled
from clickstream.models.recommender.clicks import Floats, Ints
from clickstream.models.recommender.index import Index
from clickstream.models.recommender.parameters import Parameters

#: An answer's ``because`` where no item of the session is the reason.
POPULAR = -1
#: Of the sessions that are looked at, none is the visitor's own.
NONE_OF_THEM = -1
#: Popular items that stand behind every answer.
_POPULAR_ITEMS = 200


class Own(NamedTuple):
    """The visitor's own session: distinct known items, the latest first, and how much each counts."""

    items: Sequence[int]
    weights: Sequence[float]


class Answer(NamedTuple):
    """Items, best first, their scores, and the item of the session that speaks most for each (or ``POPULAR``)."""

    items: Ints
    scores: Floats
    because: Ints


class Votes(NamedTuple):
    """What speaks for items: for ``items[n]``, ``scores[n]``, mostly because of the session's ``ages[n]``-th latest item."""

    items: Ints
    scores: Floats
    ages: Ints


_NONE = Votes(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))


class Neighbourhood:
    """Sessions of one index that are like another. Keeps working space of the index's size: it belongs to one thread.

    ``rarity``: what to take for the items' idf, by default the index's own; a small index knows it badly.
    """

    def __init__(self, index: Index, parameters: Parameters, rarity: Floats | None = None) -> None:
        self.index = index
        self._parameters = parameters
        self._item_weights = ((index.idf if rarity is None else rarity) ** parameters.idf_power).astype(np.float32)
        self._similarity = np.zeros(index.sessions, np.float32)
        self._shared_at = np.zeros(index.sessions, np.uint8)
        self._shared_age = np.zeros(index.sessions, np.uint8)
        self._farthest = parameters.session_length
        distance = np.arange(-self._farthest, self._farthest + 1)
        nearness = np.exp(-(np.abs(distance) - 1).clip(0) / parameters.nearness)
        self.by_distance = (nearness * np.where(distance < 0, parameters.backward, 1.0)).astype(np.float32)
        self.compiled = compiled.CompiledIndex.of(
            index,
            parameters.window,
            item_weights=self._item_weights,
            similarity=self._similarity,
            shared_at=self._shared_at,
            shared_age=self._shared_age,
        )

    def votes(self, own: Own, apart: int = NONE_OF_THEM) -> Votes:
        """Every click of the most similar sessions but ``apart`` as a vote; an item may come many times."""
        index = self.index
        sessions, strength = self._similar(own, apart)
        if not len(sessions):
            return _NONE
        starts = index.session_starts[sessions]
        lengths = index.session_starts[sessions + 1] - starts
        clicks = ranges(starts, lengths)
        distance = clicks - np.repeat(starts + self._shared_at[sessions], lengths)
        scores = np.repeat(strength, lengths) * self.by_distance[distance + self._farthest]
        return Votes(index.session_items[clicks], scores, np.repeat(self._shared_age[sessions], lengths).astype(np.int32))

    def _similar(self, own: Own, apart: int) -> tuple[Ints, Floats]:
        """The most similar sessions, the most similar first, and how similar they are."""
        index, parameters = self.index, self._parameters
        similarity = self._similarity
        found: list[Ints] = []
        for age in range(len(own.items) - 1, -1, -1):  # the latest item last: what it shares is what counts
            item = own.items[age]
            if item >= index.items:
                continue
            start, end = index.posting_starts[item], index.posting_starts[item + 1]
            sessions = index.posting_sessions[start:end]
            before = similarity[sessions]
            found.append(sessions[before == 0.0])
            similarity[sessions] = before + np.float32(own.weights[age] * parameters.item_decay**age) * self._item_weights[item]
            self._shared_at[sessions] = index.posting_places[start:end]
            self._shared_age[sessions] = age
        if not found:
            return _NONE.items, _NONE.scores
        sessions = np.concatenate(found)
        strength = similarity[sessions] * index.session_weights[sessions]
        similarity[sessions] = 0.0
        if apart != NONE_OF_THEM:
            strength[sessions == apart] = 0.0  # nobody is like oneself: it would only tell where they have been
        best = _best(strength, parameters.neighbours)
        return sessions[best], strength[best]


class Scorer:
    """Answers over one index, or over several whose items have the same numbers as far as they go. For one thread.

    ``hidden``, by item: what may be a reason and is not recommended.
    """

    def __init__(
        self, neighbourhoods: Sequence[Neighbourhood], parameters: Parameters, hidden: npt.NDArray[np.bool_] | None = None
    ) -> None:
        self._hidden = hidden if hidden is not None and hidden.any() else None
        self._parameters = parameters
        self._neighbourhoods = neighbourhoods
        self._indexes = [neighbourhood.index for neighbourhood in neighbourhoods]
        self._popular = _popular(self._indexes, parameters)
        self._compiled: compiled.CompiledScorer | None = None
        if compiled.AVAILABLE:
            self._compiled = compiled.CompiledScorer.of(
                [neighbourhood.compiled for neighbourhood in neighbourhoods],
                parameters,
                by_distance=neighbourhoods[0].by_distance,
                popular_items=self._popular.items,
                popular_scores=self._popular.scores,
                hidden=self._hidden,
            )

    def recommend(self, own: Own, count: int, apart: int = NONE_OF_THEM) -> Answer:
        """The best ``count`` items; equal ones in order of their numbers.

        ``apart``: the visitor's own session in the last index, if it is there.
        """
        if self._compiled is None:
            return self.defined(own, count, apart)
        items, scores, ages = self._compiled.recommend(own.items, self._shares(own), apart, count)
        return Answer(items, scores, _named(own)[ages])

    def defined(self, own: Own, count: int, apart: int = NONE_OF_THEM) -> Answer:
        """``recommend`` as it is defined."""
        parts = [self._by_neighbours(own, apart), *map(self._shown, (self._by_rules(own), self._repeated(own), self._popular))]
        items, place = np.unique(np.concatenate([part.items for part in parts]), return_inverse=True)
        weights = np.concatenate([part.scores for part in parts])
        scores: npt.NDArray[np.floating] = np.bincount(place, weights, minlength=len(items)).astype(np.float64, copy=False)
        because = np.full(len(items), POPULAR, np.int32)
        end = len(place)
        for part in reversed(parts):  # the neighbours' word is the last
            because[place[end - len(part.items) : end]] = part.ages
            end -= len(part.items)
        best = _best(scores, count)
        return Answer(items[best].astype(np.int32), scores[best].astype(np.float32), _named(own)[because[best]])

    def _shares(self, own: Own) -> list[float]:
        decay = self._parameters.item_decay
        return [weight * decay**age for age, weight in enumerate(own.weights)]

    def _by_neighbours(self, own: Own, apart: int) -> Votes:
        *earlier, last = self._neighbourhoods
        both = [*(neighbourhood.votes(own) for neighbourhood in earlier), last.votes(own, apart)]
        raw = Votes(*(np.concatenate(arrays) for arrays in zip(*both, strict=True))) if len(both) > 1 else both[0]
        raw = self._shown(raw)
        if not len(raw.items):
            return _NONE
        items, place = np.unique(raw.items, return_inverse=True)
        ages = len(own.items)
        by_age = np.bincount(place * ages + raw.ages, weights=raw.scores, minlength=len(items) * ages).reshape(-1, ages)
        scores = by_age.sum(axis=1)
        top = scores.max()
        if not top > 0:  # every item of the session is in every session: nothing is told by it
            return _NONE
        return Votes(items, (scores / top).astype(np.float32), by_age.argmax(axis=1).astype(np.int32))

    def _shown(self, votes: Votes) -> Votes:
        if self._hidden is None:
            return votes
        kept = ~self._hidden[votes.items]
        return Votes(votes.items[kept], votes.scores[kept], votes.ages[kept])

    def _by_rules(self, own: Own) -> Votes:
        """Successors of the last items, and the successors of those: they reach where no recent session has been."""
        parameters = self._parameters
        shares = self._shares(own)
        start = Votes(np.array(own.items, np.int32), np.array(shares, np.float32), np.arange(len(shares), dtype=np.int32))
        followed = []
        for index in self._indexes:
            first = _follow(index, start, parameters.rules)
            followed += [_follow(index, _strongest(first, parameters.second_sources), parameters.second_step), first]
        return Votes(*(np.concatenate(arrays) for arrays in zip(*followed, strict=True)))

    def _repeated(self, own: Own) -> Votes:
        share, decay, ages = self._parameters.repeat, self._parameters.item_decay, range(len(own.items))
        return Votes(
            np.array(own.items, np.int32),
            np.array([share * decay**age for age in ages], np.float32),
            np.array(ages, np.int32),
        )


def _named(own: Own) -> Ints:
    """The items by their ages; an age of -1 finds POPULAR."""
    return np.array([*own.items, POPULAR], np.int32)


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """``[start, start + length)`` of each, one after the other."""
    offsets = np.cumsum(lengths) - lengths
    places: Ints = (np.arange(int(lengths.sum())) + np.repeat(starts - offsets, lengths)).astype(np.int32)
    return places


def _follow(index: Index, sources: Votes, share: float) -> Votes:
    known = sources.items < index.items
    items, scores, ages = (array[known] for array in sources)
    starts = index.rule_starts[items]
    lengths = index.rule_starts[items + 1] - starts
    rules = ranges(starts, lengths)
    strength = np.repeat(scores * np.float32(share), lengths)
    return Votes(index.rule_items[rules], index.rule_weights[rules] * strength, np.repeat(ages, lengths))


def _strongest(votes: Votes, count: int) -> Votes:
    """Bounds the work of what is done with them; the weak ones would hardly be heard."""
    best = _best(votes.scores, count)
    return Votes(votes.items[best], votes.scores[best], votes.ages[best])


def _popular(indexes: Sequence[Index], parameters: Parameters) -> Votes:
    """They order what nothing else knows of, and never outweigh what something does."""
    items = np.concatenate([index.popular[:_POPULAR_ITEMS] for index in indexes])
    shares = np.concatenate([index.popularity[index.popular[:_POPULAR_ITEMS]] for index in indexes])
    return Votes(items, shares * np.float32(parameters.popular), np.full(len(items), POPULAR, np.int32))


def _best(scores: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.intp]:
    if len(scores) > count:
        # everything that is as good as the last one: which of them stay is decided by order, not by the partition
        candidates = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    else:
        candidates = np.arange(len(scores))
    best: npt.NDArray[np.intp] = candidates[np.argsort(-scores[candidates], kind="stable")][:count]
    return best
