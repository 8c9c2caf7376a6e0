"""A model with one stream, ``clicks``, of two shards, made at :data:`NOW`."""

from __future__ import annotations

import pytest

from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.operations.streams import create_stream

#: 2026-11-24T12:00:00Z in milliseconds.
NOW = 1_795_521_600_000
HOUR = 3_600_000


@pytest.fixture
def now() -> int:
    return NOW


@pytest.fixture
def kinesis(now: int) -> Kinesis:
    model = Kinesis()
    create_stream(model, "clicks", now, shard_count=2)
    return model
