"""Fraud through KCL's real worker: promotions, a rollback, a kill -9 and a split under load; every purchase decided once.

The oracle for the features is one engine over all events in one process: what crashes, splits and commits did to the state must
not show in a single bit of any vector.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from clickstream.consumers.fraud.decisions import PARTIAL, RULES_VERSION
from clickstream.consumers.fraud.fold import CROSSING
from clickstream.consumers.fraud.items import SENT
from clickstream.consumers.fraud.views import Verdict
from clickstream.events import AnyEvent, Purchase
from clickstream.load.traffic.history.adversaries import Labelled, history
from clickstream.models.fraud import scoring
from clickstream.models.registry.following import LOOK_EVERY_MS
from clickstream.producers.publisher.kinesis import KinesisPublisher
from tests.integration.fraud.application import START_MS, Fraud, model_files, vectors_of
from tests.integration.publisher.stream import split_first
from tests.integration.resharding.platform import DEADLINE_S

pytestmark = [pytest.mark.integration, pytest.mark.java]


@pytest.fixture(scope="module")
def shop() -> Labelled:
    return history(21, people=400, days=30, start_ms=START_MS)


@pytest.fixture(scope="module")
def vectors(shop: Labelled) -> dict[str, tuple[float, ...]]:
    return vectors_of(shop.events)


def test_every_purchase_is_decided_once_by_the_version_that_served(
    fraud: Fraud, shop: Labelled, vectors: dict[str, tuple[float, ...]]
) -> None:
    fifth = len(shop.events) // 5
    parts = [shop.events[n * fifth : (n + 1) * fifth if n < 4 else None] for n in range(5)]
    first, second = (model_files(shop, vectors, seed) for seed in (0, 1))
    with KinesisPublisher(fraud.settings) as publisher:

        def put(events: Sequence[AnyEvent]) -> None:
            for event in events:
                publisher.put(event)
            publisher.flush(DEADLINE_S)

        with fraud.worker("w1") as worker:
            put(parts[0])
            fraud.wait_for(parts[0], worker)
            v1 = fraud.publish(first)
            _wait_for_version(fraud, v1, parts[1], put, worker)
            put(parts[2][: fifth // 2])
        # killed in the middle, with commits in flight
        with fraud.worker("w2") as worker:
            put(parts[2][fifth // 2 :])
            fraud.wait_for(parts[2], worker)
            split_first(fraud.clients.kinesis, fraud.settings.stream)
            v2 = fraud.publish(second)
            _wait_for_version(fraud, v2, parts[3], put, worker)
            back = fraud.registry.rollback(scoring.MODEL, now_ms=0).version or ""
            _wait_for_version(fraud, back, parts[4], put, worker)
            fraud.platform.wait_until(lambda: fraud.counted() == (4, len(shop.events)), "all events are committed", worker)
    assert back == v1 != v2

    decided = fraud.decided()
    assert decided.keys() == vectors.keys()
    for event_id, (decision, _) in decided.items():
        expected = list(vectors[event_id])
        if PARTIAL.feature in [reason.feature for reason in decision.reasons]:
            # another shard was hours behind just then, as the history's clock goes
            for place in CROSSING.places:
                expected[place] = math.nan
        assert repr(decision.vector) == repr(tuple(expected))
    versions = [decision.model_version for decision, _ in decided.values()]
    assert set(versions) == {RULES_VERSION, v1, v2}
    # each score is what its version makes of the vector
    models = {v1: scoring.decode(first), v2: scoring.decode(second)}
    for decision, _ in decided.values():
        if decision.model_version in models:
            row = pd.DataFrame([decision.vector]).to_numpy()
            assert decision.score == models[decision.model_version].score(row)[0]
    alarms = {event_id for event_id, (decision, _) in decided.items() if decision.verdict is not Verdict.APPROVE}
    assert alarms
    assert {event_id for event_id, (_, alert) in decided.items() if alert == SENT} == alarms
    told = fraud.alerts()
    assert set(told) == alarms
    assert len(told) - len(alarms) <= 2, "only the kill may repeat what it cut off between topic and mark"


def _wait_for_version(
    fraud: Fraud, version: str, events: Sequence[AnyEvent], put: Any, worker: subprocess.Popen[bytes]
) -> None:
    """Put events by and by, until the version decides; then the rest of them."""
    step = max(len(events) // 40, 1)
    steps = iter([events[n : n + step] for n in range(0, len(events), step)])
    for some in steps:
        put(some)
        fraud.wait_for(some, worker)
        bought = [event.event_id for event in some if isinstance(event, Purchase)]
        if bought and all(fraud.decided()[event_id][0].model_version == version for event_id in bought):
            break
    else:
        pytest.fail(f"{version} was not seen within {LOOK_EVERY_MS} ms and {len(events)} events")
    for some in steps:
        put(some)
    fraud.wait_for(events, worker)
