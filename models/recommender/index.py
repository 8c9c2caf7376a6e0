"""Recent sessions as compact arrays: from an item to its sessions, and from a session to its items. Pure.

All lists of one kind lie one after the other in one array, with an array of their starts (CSR): nothing is an object per
session, so a million sessions are some tens of megabytes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clickstream.models.recommender.clicks import Clicks, Floats, Ints
from clickstream.models.recommender.parameters import Parameters

_DAY_S = 86_400.0
#: Clicks further apart than this make no rule.
RULE_STEPS = 10


class Index(NamedTuple):
    """Item ``i``'s sessions: ``posting_sessions[posting_starts[i]:posting_starts[i + 1]]``, ascending, the latest last.

    Sessions are numbered in order of time. ``posting_places``: where in the session the item stands (its last place).
    """

    posting_starts: Ints
    posting_sessions: Ints
    posting_places: npt.NDArray[np.uint8]
    session_starts: Ints
    session_items: Ints
    session_weights: Floats
    """What a session counts as a neighbour: less when it is old or long."""
    rule_starts: Ints
    rule_items: Ints
    rule_weights: Floats
    """Item ``i``'s likely successors, the likeliest first; the first weighs 1."""
    idf: Floats
    """ln of the sessions per session that has the item."""
    popularity: Floats
    """Share of clicks, the most popular item being 1."""
    popular: Ints
    """All items, the most popular first."""

    @property
    def items(self) -> int:
        return len(self.idf)

    @property
    def sessions(self) -> int:
        return len(self.session_weights)


def build(clicks: Clicks, parameters: Parameters) -> Index:
    """An index over sessions. The newest click is the moment that ages are counted from."""
    starts, items = _tails(clicks, parameters.session_length)
    count, sessions = len(clicks.vocabulary), clicks.sessions
    session_of = np.repeat(np.arange(sessions, dtype=np.int32), np.diff(starts))
    places = (np.arange(len(items)) - starts[session_of]).astype(np.uint8)
    postings = _postings(items, session_of, places, count, parameters.recent_sessions)
    clicked = np.bincount(items, minlength=count)
    rules = _rules(items, session_of, count, parameters.rules_per_item)
    return Index(
        *postings,
        starts,
        items,
        _session_weights(starts, clicks.ended_s, parameters),
        *rules,
        _idf(items, session_of, sessions, count),
        (clicked / max(1, clicked.max(initial=0))).astype(np.float32),
        np.argsort(-clicked, kind="stable").astype(np.int32),
    )


def _tails(clicks: Clicks, length: int) -> tuple[Ints, Ints]:
    """(starts, items) of the sessions' last ``length`` clicks."""
    lengths = np.minimum(np.diff(clicks.starts), length)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    kept = np.arange(starts[-1]) + np.repeat(clicks.starts[1:] - starts[1:], lengths)
    return starts, clicks.items[kept]


def _postings(
    items: Ints, session_of: Ints, places: npt.NDArray[np.uint8], count: int, recent: int
) -> tuple[Ints, Ints, npt.NDArray[np.uint8]]:
    order = np.lexsort((session_of, items))  # stable: within a session by place
    by_item, by_session = items[order], session_of[order]
    last = np.ones(len(order), dtype=bool)  # of several clicks on an item in a session, the last
    last[:-1] = (by_item[1:] != by_item[:-1]) | (by_session[1:] != by_session[:-1])
    order = order[last]
    by_item = items[order]
    ends = np.cumsum(np.bincount(by_item, minlength=count))
    order = order[ends[by_item] - np.arange(len(order)) <= recent]
    starts = np.concatenate([[0], np.cumsum(np.bincount(items[order], minlength=count))])
    return starts.astype(np.int32), session_of[order], places[order]


def _session_weights(starts: Ints, ended_s: npt.NDArray[np.float64], parameters: Parameters) -> Floats:
    ages_days = (ended_s.max(initial=0.0) - ended_s) / _DAY_S
    # a session may be empty: a search for blanks, say
    lengths = np.maximum(np.diff(starts), 1).astype(np.float64)
    logarithms = -ages_days / parameters.age_days - parameters.length_power * np.log(lengths)
    # bounded: a weight that underflows to 0 would make an old session no neighbour at all
    weights: Floats = np.exp(np.maximum(logarithms, -60)).astype(np.float32)
    return weights


def _idf(items: Ints, session_of: Ints, sessions: int, count: int) -> Floats:
    distinct = np.unique(items.astype(np.int64) * max(1, sessions) + session_of)
    having = np.bincount(distinct // max(1, sessions), minlength=count)
    idf: Floats = np.log((sessions + 1) / (having + 0.5)).clip(0).astype(np.float32)
    return idf


def _rules(items: Ints, session_of: Ints, count: int, most: int) -> tuple[Ints, Ints, Floats]:
    """Successors within ``RULE_STEPS`` clicks, each step counting 1/distance."""
    pairs, weights = [], []
    for step in range(1, RULE_STEPS + 1):
        together = session_of[step:] == session_of[:-step]
        pairs.append(items[:-step][together].astype(np.int64) * count + items[step:][together])
        weights.append(np.full(int(together.sum()), 1.0 / step))
    pair, place = np.unique(np.concatenate(pairs), return_inverse=True)
    weight = np.bincount(place, weights=np.concatenate(weights), minlength=len(pair))
    first, second = pair // max(1, count), pair % max(1, count)
    order = np.lexsort((second, -weight, first))
    first, second, weight = first[order], second[order], weight[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(first, minlength=count))])
    kept = np.arange(len(first)) - starts[first] < most
    weight = weight / weight[starts[first]]
    kept_starts = np.concatenate([[0], np.cumsum(np.bincount(first[kept], minlength=count))])
    return kept_starts.astype(np.int32), second[kept].astype(np.int32), weight[kept].astype(np.float32)
