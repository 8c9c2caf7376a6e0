"""``score``: a micro-batch of purchases scored in one call of the worker's model, against scikit-learn called per event."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clickstream.events import Purchase
from load.benchmarks.measure import Benchmark, Reading, cpu_rate
from load.traffic.adversaries import Labelled, history
from models.features.engine import Engine
from models.fraud import scoring
from models.fraud.costs import Costs
from models.fraud.offline import training
from models.fraud.purchases import PURCHASES
from models.fraud.rows import ROWS

#: Purchases of one write at the sample's rates: 2,000 events/s, 3 % purchases, effects every 200 ms, catching up a little.
_PER_BATCH = 60
_COUNT = 60_000
#: scikit-learn takes half a millisecond each.
_PEER_COUNT = 1_000
_START_MS = 1_788_220_800_000


def benchmark() -> Benchmark:
    shop = history(1, people=400, days=30, start_ms=_START_MS)
    rows, frauds, users = table(shop)
    trained = training.train(rows, frauds, users, PURCHASES, Costs(), seed=0)
    model = scoring.decode(scoring.encode(trained.card, trained.trees))
    matrix = rows.to_numpy(np.float64)
    ours_rows = np.resize(matrix, (_COUNT, matrix.shape[1]))
    peer_rows = np.resize(matrix, (_PEER_COUNT, matrix.shape[1]))
    assert np.allclose(model.score(peer_rows), _calibrated(trained, peer_rows), atol=1e-9)

    def ours() -> Reading:
        def work() -> None:
            for start in range(0, _COUNT, _PER_BATCH):
                model.score(ours_rows[start : start + _PER_BATCH])

        return cpu_rate(_COUNT, work)

    def peer() -> Reading:
        def work() -> None:
            for at in range(_PEER_COUNT):
                trained.classifier.predict_proba(peer_rows[at : at + 1])

        return cpu_rate(_PEER_COUNT, work)

    return Benchmark(
        id="score",
        what=f"fraud scores of micro-batches of {_PER_BATCH} purchases, {matrix.shape[1]} features, one core",
        unit="purchases/s",
        aim="≥ 10x",
        least=10.0,
        peer_name="scikit-learn called per event",
        fairness="The same trees over the same rows, as arrays without names, on both sides; ours also calibrates. One thread "
        "each: of scikit-learn's own threads only this one's time counts, which is in its favour.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )


def table(shop: Labelled) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Features, truth and users of the shop's purchases."""
    engine = Engine(PURCHASES, durable=False)
    vectors, frauds, users = [], [], []
    for event in shop.events:
        if (make := ROWS.get(type(event))) is None:
            continue
        kind, row = make(event)
        vector = engine.vector(kind, event.occurred_at, row)
        if isinstance(event, Purchase):
            vectors.append(vector)
            frauds.append(event.event_id in shop.frauds)
            users.append(event.user_id)
    return pd.DataFrame(vectors, columns=list(PURCHASES.names)), pd.Series(frauds), pd.Series(users)


def _calibrated(trained: training.Trained, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    margins = trained.card.slope * trained.classifier.decision_function(rows) + trained.card.offset
    return np.asarray(1.0 / (1.0 + np.exp(-margins)), np.float64)
