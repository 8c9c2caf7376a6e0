"""``recommend``: one recommendation in process over a million sessions; ``python -m load.benchmarks.recommend`` says how much.

The peer is V-SKNN as the literature's code writes it: dictionaries from items to sets of sessions and from sessions to items,
similarity and votes in Python loops, over the same sessions and with the same bounds.
"""

from __future__ import annotations

import itertools
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

import click
import numpy as np

from load.benchmarks.measure import Benchmark, Reading
from models.recommender import model
from models.recommender.clicks import Clicks
from models.recommender.index import Index
from models.recommender.model import Model, Recommender, Seen
from models.recommender.overlay import SESSIONS as LIVE_SESSIONS
from models.recommender.overlay import Overlay
from models.recommender.parameters import Parameters

Q = TypeVar("Q")

SESSIONS = 1_000_000
ITEMS = 50_000
_LENGTH = 20
_QUERIES = 2_000
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


def seen(session: Sequence[int]) -> list[Seen]:
    return [Seen(f"p{item}") for item in session]


def live(trained: Model, sessions: int, items: int) -> Recommender:
    """As a shard's process has it: the model, and over it the sessions of the last minutes."""
    overlay = Overlay(trained)
    latest = synthetic(sessions, items, seed=14)
    starts = latest.starts.tolist()
    for n, (start, end) in enumerate(itertools.pairwise(starts)):
        clicked = dict.fromkeys(latest.items[start:end].tolist())
        overlay.put(f"u{n}", [f"p{item}" for item in clicked], trained.until_s + 1 + n)
    return overlay.recommender()


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


def benchmark() -> Benchmark:
    clicks = synthetic(SESSIONS, ITEMS)
    trained = model.train(clicks, Parameters())
    recommender = live(trained, LIVE_SESSIONS, ITEMS)
    plain = PlainNeighbours(trained.index, trained.parameters)
    asked = queries(clicks, _QUERIES)
    named = [seen(session) for session in asked]

    def ours() -> Reading:
        return _reading(lambda session: recommender.recommend(session, _LENGTH), named)

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


def _reading(recommend: Callable[[Sequence[Q]], object], asked: Sequence[Sequence[Q]]) -> Reading:
    spent = _latencies_ms(recommend, asked, time.thread_time_ns)
    return Reading(1000 * len(spent) / sum(spent), {"p99 ms": float(np.percentile(spent, 99))})


def _latencies_ms(
    recommend: Callable[[Sequence[Q]], object],
    asked: Sequence[Sequence[Q]],
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> list[float]:
    spent = []
    for session in asked:
        started = clock_ns()
        recommend(session)
        spent.append((clock_ns() - started) / 1e6)
    return spent


@click.command()
@click.option("--sessions", default=SESSIONS, show_default=True)
@click.option("--items", default=ITEMS, show_default=True)
@click.option("--recent", default=Parameters().recent_sessions, show_default=True, help="Sessions kept per item.")
def main(sessions: int, items: int, recent: int) -> None:
    """Build time, memory and latency of one index."""
    import msgspec

    clicks = synthetic(sessions, items)
    parameters = msgspec.structs.replace(Parameters(), recent_sessions=recent)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    trained = model.train(clicks, parameters)
    built_s = time.perf_counter() - started
    peak_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    started = time.perf_counter()
    recommender = live(trained, LIVE_SESSIONS, items)
    live_s = time.perf_counter() - started
    asked = [seen(session) for session in queries(clicks, 5_000)]
    _latencies_ms(lambda session: recommender.recommend(session, _LENGTH), asked[:200])
    clocks = {"elapsed": time.perf_counter_ns, "on the processor": time.thread_time_ns}  # apart on a busy machine
    figures = "; ".join(
        f"{name} " + ", ".join(f"p{q} {np.percentile(spent, q):.3f}" for q in (50, 90, 99, 99.9))
        for name, clock_ns in clocks.items()
        for spent in [_latencies_ms(lambda session: recommender.recommend(session, _LENGTH), asked, clock_ns)]
    )
    click.echo(
        f"{sessions:,} sessions, {len(clicks.items):,} clicks, {items:,} items: built in {built_s:.1f} s "
        f"(peak {peak_mb:,.0f} MiB more), index {trained.index.memory_bytes / 2**20:,.1f} MiB; live index of {LIVE_SESSIONS:,} "
        f"in {live_s:.2f} s; latency in ms: {figures}"
    )


if __name__ == "__main__":
    main()
