"""The token bucket, by a table of times."""

from __future__ import annotations

import pytest

from clickstream.producers.collector.clients.keys import ApiKey
from clickstream.token_bucket import TokenBucket

#: rate 10/s, burst 20; each step: (time, events, seconds to wait)
TABLES = {
    "full at first": [(0.0, 20, 0.0), (0.0, 1, 0.1)],
    "refills with time": [(0.0, 20, 0.0), (0.5, 5, 0.0), (0.5, 1, 0.1), (1.0, 5, 0.0)],
    "no more than the burst": [(100.0, 20, 0.0), (100.0, 1, 0.1)],
    "a refusal takes nothing": [(0.0, 15, 0.0), (0.0, 10, 0.5), (0.0, 5, 0.0)],
    "over the burst: passes full, then in debt": [(0.0, 50, 0.0), (2.9, 1, 0.2), (3.1, 1, 0.0)],
    "over the burst: waits until full": [(0.0, 1, 0.0), (0.0, 50, 0.1), (0.1, 50, 0.0)],
    "a clock that runs back adds nothing": [(5.0, 20, 0.0), (4.0, 1, 0.1), (5.0, 1, 0.1), (5.1, 1, 0.0)],
}


@pytest.mark.parametrize("steps", TABLES.values(), ids=TABLES)
def test_bucket(steps: list[tuple[float, int, float]]) -> None:
    bucket = TokenBucket(10, 20, 0.0)
    for now, events, wait in steps:
        assert bucket.wait_for(events, now) == pytest.approx(wait)
        assert bucket.take(events, now) == pytest.approx(wait)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0.5)])
def test_a_rate_that_lets_nothing_through_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        ApiKey(name="x", sha256="0" * 64, rate=rate, burst=burst)
