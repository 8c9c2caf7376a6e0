"""The recommender measured from outside: clicks through Kinesis and KCL's worker, every next click asked of the API.

``python -m tests.integration.recommendations.stream`` puts yoochoose's training clicks on a stream, reads them back, and trains
and promotes a version while the worker runs. Then the test's visitors click one by one: after each click has been folded, the
API is asked what to show, and the next click judges the answer. The same evaluation without any pipeline stands beside it.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import msgspec

from clickstream.events import ProductView
from clickstream.models.recommender import clicks, datasets, evaluation
from clickstream.models.recommender.clicks import Click
from clickstream.models.recommender.datasets import Split
from clickstream.models.recommender.parameters import Parameters
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import from_env
from tests.integration.recommendations.site import Answer, Api, Site, running

#: Visitors who are in the shop at once.
ACTIVE = 600
_ASKING = 4
_FLUSH_S = 120.0
#: One for each shard of any stream that is used here, most likely.
_PROBES = 24


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """At 20 items; ``alone`` is the same model on the same clicks without stream, worker and API."""

    trained: bool
    positions: int
    recall: float
    mrr: float
    ndcg: float
    alone: evaluation.Quality
    launched_recommended: int
    """Of the test's items that the training never saw, how many were recommended to somebody."""
    streaming_s: float
    asking_s: float


class Walk:
    """A visitor of the test: the items that they click, one after the other."""

    def __init__(self, user_id: str, items: Sequence[str]) -> None:
        self.user_id = user_id
        self.items = items
        self.done = 0

    def click(self, at_ms: int) -> ProductView:
        self.done += 1
        return _viewed(self.user_id, self.done, self.items[self.done - 1], at_ms)

    @property
    def next_item(self) -> str | None:
        return self.items[self.done] if self.done < len(self.items) else None


def walks(test: Sequence[Click]) -> list[Walk]:
    """The test's sessions in order of their last click."""
    grouped = clicks.group(test)
    starts, items = grouped.starts.tolist(), [grouped.vocabulary[item] for item in grouped.items.tolist()]
    return [Walk(f"visitor-{n}", items[start:end]) for n, (start, end) in enumerate(itertools.pairwise(starts))]


def replay(site: Site, split: Split, *, train: bool = True, active: int = ACTIVE, say: Callable[[str], None]) -> Outcome:
    """Stream the training, then ask for every position of the test. The worker and the API run."""
    known = {each.item for each in split.training}
    with KinesisPublisher(site.settings) as publisher, ThreadPoolExecutor(_ASKING) as threads:
        asker = _Asker(site.port)
        began = time.monotonic()
        put = Put(site, publisher)
        put.all(_training_events(split.training))
        say(f"{put.count:,} training clicks streamed and folded in {time.monotonic() - began:.1f} s")
        if train:
            say(f"{_train_from_the_stream(site, put, asker)} serves on every shard")
        streamed = time.monotonic()
        places: list[int] = []
        listed: set[str] = set()
        for here in _rounds(walks(split.test), active):
            now_ms = time.time_ns() // 1_000_000
            put.all(walk.click(now_ms) for walk in here)
            waiting = [walk for walk in here if walk.next_item is not None]
            for walk, answer in zip(waiting, threads.map(asker.of, (walk.user_id for walk in waiting)), strict=True):
                shown = [each.product_id for each in answer.items]
                listed.update(shown)
                places.append(shown.index(walk.next_item) + 1 if walk.next_item in shown else 0)
            say(f"{len(places):,} positions, recall {sum(map(bool, places)) / max(1, len(places)):.4f}")
        asked = time.monotonic()
        asker.close()
    grouped = clicks.group(split.training), clicks.group(split.test)
    alone = evaluation.evaluate(*grouped, Parameters(), evaluation.OURS).all
    return Outcome(
        trained=train,
        positions=len(places),
        recall=_mean([float(place > 0) for place in places]),
        mrr=_mean([1 / place if place else 0.0 for place in places]),
        ndcg=_mean([evaluation.gain(place) for place in places]),
        alone=alone,
        launched_recommended=len(listed - known),
        streaming_s=round(streamed - began, 1),
        asking_s=round(asked - streamed, 1),
    )


class Put:
    """Puts events and waits until the application has folded all that was ever put."""

    def __init__(self, site: Site, publisher: KinesisPublisher) -> None:
        self._site = site
        self._publisher = publisher
        self.count = 0

    def all(self, events: Iterator[ProductView]) -> None:
        for event in events:
            self._publisher.put(event)
            self.count += 1
        self._publisher.flush(_FLUSH_S)
        self._site.wait_until(lambda: self._site.folded() == self.count, f"{self.count:,} events folded")


class _Asker:
    """The API from several threads, a connection each."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()
        self._all: list[Api] = []

    def of(self, user_id: str) -> Answer:
        if not hasattr(self._own, "api"):
            self._own.api = Api(self._port)
            self._all.append(self._own.api)
        answer: Answer = self._own.api.of(user_id)
        return answer

    def close(self) -> None:
        for api in self._all:
            api.close()


def _training_events(training: Sequence[Click]) -> Iterator[ProductView]:
    counts: dict[str, int] = {}
    for each in sorted(training, key=lambda click: click.at_s):
        counts[each.session] = number = counts.get(each.session, 0) + 1
        yield _viewed(f"trainee-{each.session}", number, each.item, round(each.at_s * 1000))


def _train_from_the_stream(site: Site, put: Put, asker: _Asker) -> str:
    """As a person would: read the stream, train, promote. Returns when every shard answers with the new version."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.ndjson"
        file.write_bytes(site.run("tail", "--since", "TRIM_HORIZON"))
        version = site.run("models", "train", "recommender", str(file), "--promote", "--skip-evaluation").decode().strip()
    tries = itertools.count(1)
    probes = [f"probe-{n}" for n in range(_PROBES)]

    def serves_everywhere() -> bool:
        number, now_ms = next(tries), time.time_ns() // 1_000_000
        put.all(_viewed(probe, number, "no-such-item", now_ms) for probe in probes)
        return all(asker.of(probe).model == version for probe in probes)

    site.wait_until(serves_everywhere, f"{version} on every shard")
    return version


def _rounds(all_walks: Sequence[Walk], active: int) -> Iterator[list[Walk]]:
    """Who clicks next, round by round: ``active`` visitors at once, the next one comes when one leaves."""
    coming = iter(all_walks)
    here: list[Walk] = []
    while here := [walk for walk in here if walk.next_item is not None] + list(
        itertools.islice(coming, active - sum(walk.next_item is not None for walk in here))
    ):
        yield here


def _viewed(user_id: str, number: int, item: str, at_ms: int) -> ProductView:
    return ProductView(event_id=f"{user_id}-{number}", user_id=user_id, session_id=user_id, occurred_at=at_ms, product_id=item)


def _mean(figures: Sequence[float]) -> float:
    return round(sum(figures) / max(1, len(figures)), 4)


@click.command()
@click.option("--dataset", default="yoochoose_100k", show_default=True, help="As of `clickstream models evaluate recommender`.")
@click.option("--shards", default=2, show_default=True)
@click.option("--active", default=ACTIVE, show_default=True, help="Visitors at once.")
@click.option("--train/--no-train", default=True, show_default=True, help="Without: only what the worker learns by itself.")
def main(dataset: str, shards: int, active: int, train: bool) -> None:
    """Print one JSON object: the figures through the pipeline, and beside it."""
    split = datasets.load(dataset, from_env().datasets)
    with tempfile.TemporaryDirectory(prefix="clickstream-recommend-") as folder, running(Path(folder), shards=shards) as site:
        site.worker()
        site.serve()
        outcome = replay(site, split, train=train, active=active, say=lambda line: click.echo(line, err=True))
    click.echo(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
