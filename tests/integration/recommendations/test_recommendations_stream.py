"""Recommendations through the real pipeline: local Kinesis, KCL's worker, the registry, the API.

The whole of yoochoose is `python -m tests.integration.recommendations.stream` (docs/explanation/recommendations.md). These
tests take as much as fits in a minute, and show what happens to the state when a worker is killed and a shard is split.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import msgspec
import pytest

from clickstream.consumers.recommendations import NAME
from clickstream.consumers.recommendations.fold import RecommendationsFold, State
from clickstream.consumers.recommendations.views import Recommendations
from clickstream.consumers.recommendations.visitors import Visitor
from clickstream.consumers.runtime.state.shard_state import StoredState
from clickstream.consumers.runtime.state.snapshots import SnapshotStore
from clickstream.events import AddToCart, AnyEvent, ProductView
from clickstream.infra.local import roles
from clickstream.models.recommender import datasets
from clickstream.models.recommender.datasets import Split
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings, environment
from tests.integration.publisher.stream import open_shards, split_first
from tests.integration.recommendations.site import Api, Site, running
from tests.integration.recommendations.stream import replay
from tests.unit.recommendations.traffic import START_MS, buy, cart, uncart, view

pytestmark = [pytest.mark.integration, pytest.mark.java]

_TRAINING_SESSIONS = 3_000
_TEST_SESSIONS = 150
_CLICKS = 6
_FLUSH_S = 60.0


def sample(datasets_folder: Path) -> Split:
    """The latest sessions of the training, and the first clicks of some of the test's."""
    whole = datasets.load("yoochoose_100k", datasets_folder)
    ends = {each.session: each.at_s for each in sorted(whole.training, key=lambda click: click.at_s)}
    latest = set(sorted(ends, key=lambda session: ends[session])[-_TRAINING_SESSIONS:])
    counts: dict[str, int] = {}
    test = []
    for each in sorted(whole.test, key=lambda click: click.at_s):
        if each.session not in counts and len(counts) == _TEST_SESSIONS:
            continue
        counts[each.session] = counts.get(each.session, 0) + 1
        if counts[each.session] <= _CLICKS:
            test.append(each)
    return Split([each for each in whole.training if each.session in latest], test)


def test_through_stream_worker_and_api_it_is_as_good_as_alone(settings: Settings, datasets: Path, tmp_path: Path) -> None:
    with running(tmp_path, shards=2, settings=settings) as site:
        site.worker()
        site.serve()
        said: list[str] = []
        outcome = replay(site, sample(datasets), active=_TEST_SESSIONS, say=said.append)
        assert outcome.positions == outcome.alone.positions > 250
        # of a few hundred positions, what the worker learned meanwhile may move some; of the whole file it moves a thousandth
        assert outcome.recall == pytest.approx(outcome.alone.recall, abs=0.03), said
        assert outcome.mrr == pytest.approx(outcome.alone.mrr, abs=0.03)
        assert outcome.recall > 0.5
        _a_product_launched_now_is_recommended(site)


def _a_product_launched_now_is_recommended(site: Site) -> None:
    """No model knows it; some visitors who came to it from another show what it goes with."""
    known = "214821277"
    now_ms = time.time_ns() // 1_000_000
    with KinesisPublisher(site.settings) as publisher, closing(Api(site.port)) as api:
        for n in range(60):
            publisher.put(view(f"early-{n}", known, now_ms))
            publisher.put(view(f"early-{n}", "launched-now", now_ms + 1))
        publisher.flush(_FLUSH_S)
        tries = iter(range(10_000))

        def recommended() -> bool:
            visitor = f"late-{next(tries)}"
            publisher.put(view(visitor, known, time.time_ns() // 1_000_000))
            publisher.flush(_FLUSH_S)
            site.wait_until(lambda: api.of(visitor).personal, "an offer")
            return "launched-now" in [each.product_id for each in api.of(visitor).items]

        site.wait_until(recommended, "the launched product is recommended")


def shopping(seed: int, count: int, users: int) -> list[AnyEvent]:
    """In order of time, half an hour's: no visit ends, and nothing depends on which shard an event is on."""
    random = Random(seed)
    made: list[AnyEvent] = []
    for n in range(count):
        at_ms, user = START_MS + n * 1_000_000 // count, f"u{random.randrange(users)}"
        product = f"p{int(random.random() ** 2 * 300)}"
        what = random.random()
        if what < 0.75:
            made.append(view(user, product, at_ms))
        elif what < 0.88:
            made.append(cart(user, product, at_ms))
        elif what < 0.92:
            made.append(uncart(user, product, at_ms))
        else:
            made.append(buy(user, product, at_ms=at_ms))
    return list({event.event_id: event for event in made}.values())


def by_one_fold(events: Sequence[AnyEvent]) -> dict[str, Visitor]:
    fold = RecommendationsFold()
    fold.apply(events)
    return _visitors([fold.snapshot()])


def _visitors(states: Sequence[bytes]) -> dict[str, Visitor]:
    decoder = msgspec.msgpack.Decoder(State)
    return {visitor.user_id: visitor for state in states for visitor in decoder.decode(state).visitors}


@contextmanager
def _worker(site: Site, name: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Killed with -9 at the end of the block."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "clickstream.cli", "worker", NAME, "-w", name],
            env=environment(roles.prepared(site.settings, NAME)),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_kill_and_a_split_lose_no_visitor_and_no_touch(settings: Settings, tmp_path: Path) -> None:
    events = shopping(5, 6_000, users=400)
    third = len(events) // 3
    with running(tmp_path, shards=2, settings=settings) as site, KinesisPublisher(site.settings) as publisher:

        def put(some: Sequence[AnyEvent]) -> None:
            for event in some:
                publisher.put(event)
            publisher.flush(_FLUSH_S)

        with _worker(site, "w1", tmp_path / "w1.log"):
            put(events[:third])
            site.wait_until(lambda: site.folded() > 0, "the first commits")
            put(events[third : third + third // 2])
        # killed with commits in flight
        with _worker(site, "w2", tmp_path / "w2.log"):
            put(events[third + third // 2 : 2 * third])
            site.wait_until(lambda: site.folded() == 2 * third, "all before the split")
            split_first(site.clients.kinesis, site.settings.stream)
            put(events[2 * third :])
            site.wait_until(lambda: site.folded() == len(events), "all after the split")
        store = SnapshotStore(NAME, "test", site.clients, site.settings)
        states = []
        for shard in open_shards(site.clients.kinesis, site.settings.stream):
            lease = store.look(shard["ShardId"])
            assert lease is not None
            fold = RecommendationsFold()
            for link in store.read(lease):
                fold.restore(msgspec.msgpack.decode(link, type=StoredState).fold, None)
            states.append(fold.snapshot())
        kept, expected = _visitors(states), by_one_fold(events)
        assert {user: list(visitor.items.items()) for user, visitor in kept.items()} == {
            user: list(visitor.items.items()) for user, visitor in expected.items()
        }
        assert {user: visitor.has for user, visitor in kept.items()} == {
            user: visitor.has for user, visitor in expected.items()
        }

        reader = Recommendations(site.clients, site.settings)
        for user, visitor in expected.items():
            shown = reader.stored([user])[user]
            assert not {each.item for each in shown.items} & visitor.has.keys(), "bought, and offered again"
            assert {each.because for each in shown.items} - {None} <= visitor.items.keys()
        counted, clicked = reader.hit_rate(), sum(isinstance(event, ProductView | AddToCart) for event in events)
        assert 0 < counted.hits <= counted.clicks <= clicked
