"""The peer of ``recommend``: V-SKNN as the literature's code writes it.

Dictionaries map items to sets of sessions and sessions to items; similarities and votes are computed in Python loops, over the
same sessions and with the same bounds as ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from clickstream.models.recommender.index import Index
from clickstream.models.recommender.parameters import Parameters


class PlainNeighbours:
    """V-SKNN over Python's own containers."""

    def __init__(self, index: Index, parameters: Parameters) -> None:
        self._parameters = parameters
        self._sessions: dict[int, Sequence[int]] = {}
        self._having: dict[int, set[int]] = {}
        starts = index.session_starts.tolist()
        for item in range(index.items):
            postings = index.posting_sessions[index.posting_starts[item] : index.posting_starts[item + 1]].tolist()
            self._having[item] = set(postings)
            for session in postings:
                if session not in self._sessions:
                    self._sessions[session] = index.session_items[starts[session] : starts[session + 1]].tolist()
        self._idf = index.idf.tolist()

    def recommend(self, session: Sequence[int], count: int) -> list[tuple[int, float]]:
        latest = list(dict.fromkeys(reversed(session)))[: self._parameters.window]
        weights = {item: self._parameters.item_decay**age for age, item in enumerate(latest)}
        candidates: set[int] = set()
        for item in latest:
            candidates |= self._having[item]
        similar = []
        for candidate in candidates:
            items = self._sessions[candidate]
            shared = set(items) & weights.keys()
            similar.append((sum(weights[item] for item in shared) / len(items) ** 0.5, candidate))
        similar.sort(reverse=True)
        scores: dict[int, float] = defaultdict(float)
        for similarity, candidate in similar[: self._parameters.neighbours]:
            items = self._sessions[candidate]
            step = next(age for age, item in enumerate(latest, 1) if item in items)
            for item in items:
                scores[item] += similarity / step * self._idf[item]
        return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:count]
