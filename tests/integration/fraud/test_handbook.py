"""The handbook's rows through Kinesis, KCL and our runtime, killed and split on the way, against the published features.

Some customers' and some terminals' rows here; ``python -m tests.integration.fraud`` streams all of them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from clickstream.models.fraud.offline.handbook import CUSTOMER, TERMINAL
from clickstream.settings import Settings
from tests import handbook_files
from tests.handbook_files import TOLERANCE
from tests.integration.fraud import handbook_stream
from tests.integration.fraud.handbook_run import Run

pytestmark = [pytest.mark.integration, pytest.mark.java]

#: One of so many customers, and of so many terminals, is streamed.
ONE_OF = 24
#: Far above what is measured: a busy machine fails no test.
DEADLINE_S = 120.0


def test_features_through_the_pipeline_equal_the_published_ones(settings: Settings, datasets: Path, tmp_path: Path) -> None:
    folder = datasets / handbook_files.FOLDER
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    chosen = [
        (row, int(row.customer) % ONE_OF == 0, int(row.terminal) % ONE_OF == 0) for row in handbook_files.transactions(folder)
    ]
    events = [
        event
        for row, customer, terminal in chosen
        for event in handbook_stream.events_of(row, customer=customer, terminal=terminal)
    ]
    run = Run(msgspec.structs.replace(settings, local_dir=tmp_path), tmp_path, shards=2, deadline_s=DEADLINE_S)
    run.through(events)
    found = handbook_stream.read(run.computed)
    for ours, names, wanted in (
        (found.customers, CUSTOMER.names, [row.id for row, customer, _ in chosen if customer]),
        (found.terminals, TERMINAL.names, [row.id for row, _, terminal in chosen if terminal]),
    ):
        published = handbook_files.published(folder, names)
        assert len(wanted) > 4_000
        assert sorted(ours) == sorted(wanted)
        difference = np.abs(np.array([ours[row] for row in wanted]) - np.array([published[row] for row in wanted]))
        assert float(difference.max()) <= TOLERANCE
