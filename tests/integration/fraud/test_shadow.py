"""``clickstream models shadow`` beside a live worker: a candidate reads the same stream, and decides nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clickstream.aws import Clients
from clickstream.consumers.fraud.views import Verdict
from clickstream.events import Purchase
from clickstream.load.traffic.history.adversaries import history, label_lines
from clickstream.models.fraud import scoring
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.progress.shards_table import ShardsTable
from clickstream.settings import environment
from tests.integration.fraud.application import START_MS, Fraud, model_files, vectors_of
from tests.integration.resharding.platform import DEADLINE_S

pytestmark = [pytest.mark.integration, pytest.mark.java]


def command(fraud: Fraud, *arguments: str) -> str:
    """What the command said on stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "clickstream.cli", "models", *arguments],
        env=environment(fraud.settings),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_candidate_is_compared_and_then_promoted(fraud: Fraud, tmp_path: Path) -> None:
    shop = history(5, people=250, days=28, start_ms=START_MS)
    vectors = vectors_of(shop.events)
    live = fraud.publish(model_files(shop, vectors, 0))
    candidate = fraud.publish(second := model_files(shop, vectors, 1))
    fraud.registry.rollback(scoring.MODEL, now_ms=0)
    labels = tmp_path / "labels.csv"
    labels.write_text("".join(label_lines(shop)))
    with KinesisPublisher(fraud.settings) as publisher, fraud.worker("w1") as worker:
        for event in shop.events:
            publisher.put(event)
        publisher.flush(DEADLINE_S)
        fraud.wait_for(shop.events, worker)
        fraud.platform.wait_until(lambda: fraud.counted()[1] == len(shop.events), "all events are committed", worker)
        before = fraud.decided()
        told = len(fraud.alerts())
        middle_ms = START_MS + 14 * 86_400_000
        since = datetime.fromtimestamp(middle_ms / 1000, UTC).isoformat()
        found: dict[str, Any] = json.loads(
            command(fraud, "shadow", candidate, "--from", since, "--labels", str(labels), "--json")
        )
        assert repr(fraud.decided()) == repr(before)
        assert fraud.alerts() == []
        ended = [row for row in ShardsTable(Clients(fraud.settings), fraud.settings).read() if candidate in row.application]
        assert {row.retired for row in ended} == {True}
        pointer = fraud.registry.current(scoring.MODEL)
        assert pointer is not None
        assert pointer.version == live

    # the oracle: each model over the vectors that were decided, with numpy
    compared = [event for event in shop.events if isinstance(event, Purchase) and event.occurred_at >= middle_ms]
    frauds = np.array([event.event_id in shop.frauds for event in compared])
    cents = np.array([event.amount for event in compared])
    model = scoring.decode(second)
    scores = model.score(np.array([before[event.event_id][0].vector for event in compared]))
    alarms = {
        "live": np.array([before[event.event_id][0].verdict is not Verdict.APPROVE for event in compared]),
        "candidate": scores >= model.card.thresholds.review,
    }
    assert {event.currency for event in compared} == {"EUR"}
    assert (found["version"], found["purchases"], found["undecided"]) == (candidate, len(compared), 0)
    assert found["live_versions"] == {live: len(compared)}
    assert told == sum(decision.verdict is not Verdict.APPROVE for decision, _ in before.values())
    for side, raised in alarms.items():
        said = found[side]
        assert said["alerts"] == raised.sum()
        assert said["alerted_money"] == cents[raised].sum()
        assert said["precision"] == pytest.approx(frauds[raised].mean())
        assert said["recall"] == pytest.approx(raised[frauds].mean())
        assert said["money_missed"] == cents[frauds & ~raised].sum()

    command(fraud, "promote", "fraud", candidate)
    pointer = fraud.registry.current(scoring.MODEL)
    assert pointer is not None
    assert pointer.version == candidate
    # once more: it goes on where it ended, and says the same of the whole
    labelled = command(fraud, "shadow", "fraud", candidate, "--from", since)
    assert labelled.splitlines()[4].split()[:2] == ["alerts", f"{found['live']['alerts']:,}"]
