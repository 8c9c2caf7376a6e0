"""A model with one stream, ``clicks``, of two shards, made at :data:`NOW`."""

from __future__ import annotations

import pytest

from infra.local.kinesis.model import Kinesis

#: 2026-11-24T12:00:00Z in milliseconds.
NOW = 1_795_521_600_000
HOUR = 3_600_000


@pytest.fixture
def now() -> int:
    return NOW


@pytest.fixture
def kinesis(now: int) -> Kinesis:
    model = Kinesis()
    model.create_stream("clicks", now, shard_count=2)
    return model
