"""``recommend``: one recommendation in process, over a million sessions."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.recommending.in_process_peer import PlainNeighbours
from clickstream.load.benchmarks.recommending.synthetic import ITEMS, SESSIONS, queries, synthetic
from clickstream.models.recommender import model
from clickstream.models.recommender.model import Model, Recommender, Seen
from clickstream.models.recommender.overlay import SESSIONS as LIVE_SESSIONS
from clickstream.models.recommender.overlay import Overlay
from clickstream.models.recommender.parameters import Parameters

Q = TypeVar("Q")

_LENGTH = 20
_QUERIES = 2_000


def benchmark() -> Benchmark:
    clicks = synthetic(SESSIONS, ITEMS)
    began = time.thread_time()
    trained = model.train(clicks, Parameters())
    built = {"build s": time.thread_time() - began, "index MiB": sum(array.nbytes for array in trained.index) / 2**20}
    recommender = _live(trained)
    plain = PlainNeighbours(trained.index, trained.parameters)
    asked = queries(clicks, _QUERIES)
    named = [[Seen(f"p{item}") for item in session] for session in asked]

    def ours() -> Reading:
        reading = _reading(lambda session: recommender.recommend(session, _LENGTH), named)
        return Reading(reading.figure, {**reading.extra, **built})

    def peer() -> Reading:
        return _reading(lambda session: plain.recommend(session, _LENGTH), asked)

    return Benchmark(
        id="recommend",
        what=f"recommendations of {_LENGTH} items, {SESSIONS:,} sessions of {ITEMS:,} items, one core",
        unit="recommendations/s",
        aim="≥ 1, p99 ≤ 1 ms",
        least=1.0,
        within={"ours p99 ms": (0.0, 1.0)},
        peer_name="V-SKNN in plain Python",
        fairness="The same postings, the same number of neighbours; ours adds a live index of "
        f"{LIVE_SESSIONS:,} sessions, rules, popularity, ids and each item's reason.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )


def _live(trained: Model) -> Recommender:
    """As a shard's process has it: the model, and over it the sessions of the last minutes."""
    overlay = Overlay(trained)
    latest = synthetic(LIVE_SESSIONS, ITEMS, seed=14)
    for n, (start, end) in enumerate(itertools.pairwise(latest.starts.tolist())):
        clicked = dict.fromkeys(latest.items[start:end].tolist())
        overlay.put(f"u{n}", [f"p{item}" for item in clicked], trained.until_s + 1 + n)
    return overlay.recommender()


def _reading(recommend: Callable[[Sequence[Q]], object], asked: Sequence[Sequence[Q]]) -> Reading:
    spent = []
    for session in asked:
        started = time.thread_time_ns()
        recommend(session)
        spent.append((time.thread_time_ns() - started) / 1e6)
    return Reading(1000 * len(spent) / sum(spent), {"p99 ms": float(np.percentile(spent, 99))})
