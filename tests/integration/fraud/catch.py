"""``python -m tests.integration.fraud.catch``: what the decisions in the table are worth, against the labels of the traffic.

A model of one seed's shop is promoted; another seed's shop goes through publisher, embedded Kinesis, KCL and our worker. The
decisions are then judged by the generator's labels, beside the offline evaluation: one engine over the same events in one
process, and the same version. One JSON object on stdout; exit code 0 only if the stated quality was reached.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clickstream.consumers.fraud.decisions import PARTIAL, Decision
from clickstream.consumers.fraud.views import Verdict
from clickstream.events import Purchase
from clickstream.infra.local import resources, stack
from clickstream.load.traffic.history.adversaries import Labelled, history
from clickstream.models.fraud import scoring
from clickstream.models.fraud.offline.evaluation import KindReport, by_kind
from clickstream.models.fraud.offline.trials import FALSE_ALARMS
from clickstream.models.fraud.scoring import FraudModel
from clickstream.producers.publisher.kinesis import KinesisPublisher
from tests.integration.fraud.application import START_MS, Fraud, model_files, vectors_of
from tests.integration.resharding.platform import DEADLINE_S, Platform

TRAINED_ON, JUDGED_ON = 1, 102
DAYS = 45
#: At :data:`FALSE_ALARMS`.
LEAST_MONEY = 0.9


class Alarms(msgspec.Struct, frozen=True):
    """What the verdicts themselves, at the model's own thresholds, made of it."""

    money_caught: float
    false_alarms: float
    precision: float


class Judged(msgspec.Struct, frozen=True):
    """Decisions against the labels: of the table, and of the same events offline."""

    purchases: int
    frauds: int
    live: dict[str, KindReport]
    """By kind of adversary, at a false-alarm rate of :data:`FALSE_ALARMS`."""
    offline: dict[str, KindReport]
    live_verdicts: Alarms
    offline_verdicts: Alarms
    without_shared_keys: int
    """Decided while another shard lagged."""
    same_score: int
    """Decisions whose score is the offline one, to the last bit."""
    same_verdict: int

    @property
    def is_good(self) -> bool:
        return self.live["all"].money_caught >= LEAST_MONEY


def run(fraud: Fraud, *, people: int, train_people: int) -> Judged:
    """A model of the shop of one seed, on the traffic of another."""
    earlier = history(TRAINED_ON, people=train_people, days=DAYS, start_ms=START_MS)
    files = model_files(earlier, vectors_of(earlier.events), 0)
    version = fraud.publish(files)
    shop = history(JUDGED_ON, people=people, days=DAYS, start_ms=START_MS)
    with fraud.worker("w1") as worker, KinesisPublisher(fraud.settings) as publisher:
        fraud.platform.wait_until(lambda: fraud.counted()[0] == 2, "every shard has an owner", worker)
        for event in shop.events:
            publisher.put(event)
        publisher.flush(DEADLINE_S)
        fraud.platform.wait_until(lambda: fraud.counted()[1] == len(shop.events), "all events are committed", worker)
        decided = {event_id: decision for event_id, (decision, _) in fraud.decided().items()}
    assert {decision.model_version for decision in decided.values()} == {version}
    return judge(shop, decided, scoring.decode(files))


def judge(shop: Labelled, decided: Mapping[str, Decision], model: FraudModel) -> Judged:
    """``decided``: one decision per purchase of the shop, by event id."""
    vectors = vectors_of(shop.events)
    bought = [event.event_id for event in shop.events if isinstance(event, Purchase)]
    assert decided.keys() == set(bought), "every purchase is decided, and nothing else"
    decisions = [decided[event_id] for event_id in bought]
    kinds = pd.Series([shop.frauds.get(event_id, "") for event_id in bought])
    amounts = np.array([decision.amount for decision in decisions], np.float64)
    scores = np.array([decision.score for decision in decisions])
    offline = model.score(np.array([vectors[event_id] for event_id in bought]))
    verdicts = [decision.verdict for decision in decisions]
    offline_verdicts = [model.card.thresholds.verdict(float(score)) for score in offline]
    truth = (kinds != "").to_numpy()
    return Judged(
        purchases=len(bought),
        frauds=int(truth.sum()),
        live=by_kind(scores, kinds, amounts, false_alarms=FALSE_ALARMS),
        offline=by_kind(offline, kinds, amounts, false_alarms=FALSE_ALARMS),
        live_verdicts=_alarms(verdicts, truth, amounts),
        offline_verdicts=_alarms(offline_verdicts, truth, amounts),
        without_shared_keys=sum(PARTIAL.feature in [reason.feature for reason in decision.reasons] for decision in decisions),
        same_score=int((scores == offline).sum()),
        same_verdict=sum(ours is theirs for ours, theirs in zip(verdicts, offline_verdicts, strict=True)),
    )


def _alarms(verdicts: Sequence[Verdict], truth: NDArray[np.bool_], amounts: NDArray[np.float64]) -> Alarms:
    alarms = np.array([verdict is not Verdict.APPROVE for verdict in verdicts])
    return Alarms(
        money_caught=float(amounts[alarms & truth].sum() / amounts[truth].sum()),
        false_alarms=float(alarms[~truth].mean()),
        precision=float(truth[alarms].mean()),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.fraud.catch", description=__doc__)
    parser.add_argument("--people", type=int, default=1_500, help="who shop in the judged weeks")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, stack.local_aws(Path(scratch) / "aws") as running:
        settings = msgspec.structs.replace(running.settings, name="catch", local_dir=Path(scratch))
        platform = Platform(settings, Path(scratch))
        resources.create(platform.clients, settings, shards=2)
        judged = run(Fraud(platform), people=options.people, train_people=3_000)
    facts = {"seconds": round(time.monotonic() - began, 1), "load_average": round(os.getloadavg()[0], 1)}
    print(json.dumps(msgspec.to_builtins(judged) | facts, indent=1))  # noqa: T201  the result
    return 0 if judged.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
