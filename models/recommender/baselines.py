"""The field's simple methods, to compare with and to prove the evaluation by: their figures are known. Pure.

Written from their definitions in the session-based recommendation literature; nothing here is shared with ``scoring``.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from clickstream.models.recommender.clicks import Clicks

Answer = Mapping[int, float]
"""Item → what speaks for it. What is not in it is not recommended."""
Recommender = Callable[[Sequence[int]], Answer]
"""From the clicks of a session so far, the latest last, to an answer."""

#: Rules end this many clicks after the item they begin with.
_STEPS = 10
_RULES_PER_ITEM = 20
_SIMILAR_PER_ITEM = 100
#: Items that popularity lists, and that it orders within a session.
_POPULAR = 100
_POPULAR_IN_TIES = 1_000
#: item-kNN's regularisation: similarities that few sessions speak for are doubted.
_LAMBDA = 20
_ALPHA = 0.5


def sessions_of(clicks: Clicks) -> list[list[int]]:
    starts, items = clicks.starts.tolist(), clicks.items.tolist()
    return [items[start:end] for start, end in pairwise(starts)]


def popularity(clicks: Clicks) -> Recommender:
    """The items that were clicked most, for everybody the same."""
    most = _shares(clicks, _POPULAR)
    return lambda _: most


def session_popularity(clicks: Clicks) -> Recommender:
    """The session's own items by how often it clicked them; ties, and what is missing, by popularity."""
    shares = _shares(clicks, _POPULAR_IN_TIES)
    most = dict(list(shares.items())[:_POPULAR])

    def answer(session: Sequence[int]) -> Answer:
        own = Counter(item for item in session if item >= 0)
        return most | {item: count + shares.get(item, 0.0) for item, count in own.items()}

    return answer


def _shares(clicks: Clicks, most: int) -> dict[int, float]:
    counts = Counter(clicks.items.tolist())
    return {item: count / (count + 1) for item, count in counts.most_common(most)}


def item_knn(clicks: Clicks) -> Recommender:
    """Cosine of the sessions that two items are in, damped for rare ones; of the session's last item only, itself left out."""
    sessions = [set(session) for session in sessions_of(clicks)]
    having = Counter(item for session in sessions for item in session)
    together: dict[int, Counter[int]] = defaultdict(Counter)
    for session in sessions:
        for item in session:
            together[item].update(session)
    similar: dict[int, dict[int, float]] = {}
    for item, others in together.items():
        del others[item]
        cosines = {
            other: count / ((having[item] + _LAMBDA) ** _ALPHA * (having[other] + _LAMBDA) ** (1 - _ALPHA))
            for other, count in others.items()
        }
        similar[item] = _foremost(cosines, _SIMILAR_PER_ITEM)
    return lambda session: similar.get(session[-1], {})


def association_rules(clicks: Clicks) -> Recommender:
    """How often two items stand in one session, in either order."""
    rules: dict[int, Counter[int]] = defaultdict(Counter)
    for session in sessions_of(clicks):
        for place, item in enumerate(session):
            for earlier in session[:place]:
                if earlier != item:
                    rules[item][earlier] += 1
                    rules[earlier][item] += 1
    return _rules({item: dict(others) for item, others in rules.items()})


def sequential_rules(clicks: Clicks) -> Recommender:
    """How often one item follows another within a few clicks, each occurrence counting 1/distance."""
    rules: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for session in sessions_of(clicks):
        for place, item in enumerate(session):
            for distance, earlier in enumerate(reversed(session[max(0, place - _STEPS) : place]), 1):
                if earlier != item:
                    rules[earlier][item] += 1 / distance
    return _rules(rules)


def _rules(rules: Mapping[int, Mapping[int, float]]) -> Recommender:
    kept = {item: _foremost(others, _RULES_PER_ITEM) for item, others in rules.items()}
    return lambda session: kept.get(session[-1], {})


def _foremost(scores: Mapping[int, float], most: int) -> dict[int, float]:
    if len(scores) <= most:
        return dict(scores)
    return dict(sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:most])


BASELINES: dict[str, Callable[[Clicks], Recommender]] = {
    "popularity": popularity,
    "session popularity": session_popularity,
    "item-kNN": item_knn,
    "association rules": association_rules,
    "sequential rules": sequential_rules,
}
