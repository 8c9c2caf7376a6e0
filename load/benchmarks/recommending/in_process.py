"""``recommend`` and ``recommend-serenade``: one recommendation in process, over a million sessions."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, Side
from clickstream.load.benchmarks.recommending.beside_serenade import BUILD_S, Serenade
from clickstream.load.benchmarks.recommending.in_process_peer import PlainNeighbours
from clickstream.load.benchmarks.recommending.synthetic import ITEMS, SESSIONS, queries, synthetic
from clickstream.models.recommender import model
from clickstream.models.recommender.clicks import Clicks
from clickstream.models.recommender.model import Model, Recommender, Seen
from clickstream.models.recommender.overlay import SESSIONS as LIVE_SESSIONS
from clickstream.models.recommender.overlay import Overlay
from clickstream.models.recommender.parameters import Parameters

Q = TypeVar("Q")

_LENGTH = 20
_QUERIES = 2_000
_MORE = f"Ours adds a live index of {LIVE_SESSIONS:,} sessions, rules, popularity, ids and each item's reason."


def benchmark(sessions: int = SESSIONS) -> Benchmark:
    clicks, asked = _world(sessions)
    ours, trained = _ours(clicks, asked)
    plain = PlainNeighbours(trained.index, trained.parameters)
    return Benchmark(
        id="recommend",
        what=_what(sessions),
        unit="recommendations/s",
        aim="≥ 3x, p99 ≤ 1 ms",
        least=3.0,
        within={"ours p99 ms": (0.0, 1.0)},
        peer_name="V-SKNN in plain Python",
        fairness=f"The same postings, the same number of neighbours. {_MORE}",
        clock="CPU",
        ours=ours,
        peer=lambda: _reading(_spent(lambda session: plain.recommend(session, _LENGTH), asked)),
    )


def serenade(sessions: int = SESSIONS, build_s: float = BUILD_S) -> Benchmark:
    clicks, asked = _world(sessions)
    peer = Serenade(clicks, asked, neighbours=Parameters().neighbours, count=_LENGTH, build_s=build_s)
    ours, _ = _ours(clicks, asked)
    return Benchmark(
        id="recommend-serenade",
        what=_what(sessions),
        unit="recommendations/s",
        aim="≥ 0.8x",
        least=0.8,
        peer_name="Serenade 0.3.1, VMIS-kNN in Rust",
        fairness="The same sessions and questions, each side timed in its own process, without HTTP and a store of sessions. "
        f"Serenade looks at the {Parameters().neighbours} latest sessions that share an item, ours at up to 1,000 and keeps as "
        f"many of them as Serenade looks at. {_MORE}",
        clock="CPU",
        ours=ours,
        peer=lambda: _reading(peer.spent()),
        close=peer.close,
    )


def _what(sessions: int) -> str:
    return f"recommendations of {_LENGTH} items, {sessions:,} sessions of {ITEMS:,} items, one core"


def _world(sessions: int) -> tuple[Clicks, list[list[int]]]:
    clicks = synthetic(sessions, ITEMS)
    return clicks, queries(clicks, _QUERIES)


def _ours(clicks: Clicks, asked: Sequence[Sequence[int]]) -> tuple[Side, Model]:
    began = time.thread_time()
    trained = model.train(clicks, Parameters())
    built = {"build s": time.thread_time() - began, "index MiB": sum(array.nbytes for array in trained.index) / 2**20}
    recommender = _live(trained)
    named = [[Seen(f"p{item}") for item in session] for session in asked]

    def ours() -> Reading:
        reading = _reading(_spent(lambda session: recommender.recommend(session, _LENGTH), named))
        return Reading(reading.figure, {**reading.extra, **built})

    return ours, trained


def _live(trained: Model) -> Recommender:
    """As a shard's process has it: the model, and over it the sessions of the last minutes."""
    overlay = Overlay(trained)
    latest = synthetic(LIVE_SESSIONS, ITEMS, seed=14)
    for n, (start, end) in enumerate(itertools.pairwise(latest.starts.tolist())):
        clicked = dict.fromkeys(latest.items[start:end].tolist())
        overlay.put(f"u{n}", [f"p{item}" for item in clicked], trained.until_s + 1 + n)
    return overlay.recommender()


def _spent(recommend: Callable[[Sequence[Q]], object], asked: Sequence[Sequence[Q]]) -> list[float]:
    """The CPU time of each answer (ms)."""
    spent = []
    for session in asked:
        started = time.thread_time_ns()
        recommend(session)
        spent.append((time.thread_time_ns() - started) / 1e6)
    return spent


def _reading(spent_ms: Sequence[float]) -> Reading:
    return Reading(1000 * len(spent_ms) / sum(spent_ms), {"p99 ms": float(np.percentile(spent_ms, 99))})
