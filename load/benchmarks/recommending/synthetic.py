"""Sessions to recommend from, and the beginnings of sessions to recommend for: seeded, shaped like a shop's."""

from __future__ import annotations

import numpy as np

from clickstream.models.recommender.clicks import Clicks

SESSIONS = 1_000_000
ITEMS = 50_000
_START_S = 1_764_000_000.0


def synthetic(sessions: int, items: int, seed: int = 11) -> Clicks:
    """Sessions of 1 to 50 clicks, 4 on average, that stay near where they began; items' popularity is Zipf's."""
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / 4, sessions).clip(1, 50)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    weights = 1 / np.arange(1, items + 1)
    homes = np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(sessions))
    wander = rng.integers(-8, 9, starts[-1])
    clicked = (np.repeat(homes, lengths) + wander).clip(0, items - 1).astype(np.int32)
    ended = _START_S + np.sort(rng.random(sessions)) * 30 * 86_400
    return Clicks([f"p{item}" for item in range(items)], starts, clicked, ended, _START_S)


def queries(clicks: Clicks, count: int, seed: int = 12) -> list[list[int]]:
    """The beginnings of random sessions, up to 10 clicks: most short, some long, popular items in most."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, clicks.sessions, count)
    return [clicks.items[clicks.starts[s] : min(clicks.starts[s + 1], clicks.starts[s] + 10)].tolist() for s in chosen]
