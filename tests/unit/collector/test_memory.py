"""What requests hold in memory is bounded until they are answered, however small they came."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from random import Random

import httpx
import pytest

from clickstream.producers.collector.app import Clocks, Timeouts, create_app
from clickstream.producers.collector.clients.fingerprints import Fingerprints
from tests.unit.collector.conftest import NOW, SECRET, Site, event, purchase
from tests.unit.collector.stream import Stream

MIB = 1024 * 1024
REQUESTS = 40
BUDGET = MIB
#: One request at a time is parsed, and its objects are larger than its bytes.
PARSED = 8 * MIB

_HEADERS = {"content-type": "application/json", "content-encoding": "gzip"}


def _id(number: int) -> str:
    """Hard to compress, so that no bound on the ratio helps."""
    return Random(number).randbytes(40).hex()


async def _statuses(body: bytes) -> list[int]:
    clocks = Clocks(monotonic=lambda: 0.0, wall_ms=lambda: NOW)
    timeouts = Timeouts(body=60.0, acknowledgement=2.0)
    app = create_app(Stream("silent"), Fingerprints(SECRET), clocks, keys=None, timeouts=timeouts, memory=BUDGET)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
        posts = [client.post("/v1/events", content=body, headers=_HEADERS) for _ in range(REQUESTS)]
        return [answer.status_code for answer in await asyncio.gather(*posts)]


@pytest.mark.parametrize(
    "events",
    [
        [event(url="x" * 1_500, context={"referrer": "y" * 1_500}, event_id=_id(n)) for n in range(100)],
        [purchase(event_id=_id(n), items=[{"product_id": "p"}] * 30) for n in range(100)],
        [event(), *[{"type": "purchase", "event_id": _id(n), "items": [{"product_id": ""}] * 16} for n in range(100)]],
    ],
    ids=["text", "many small parts", "many faults told"],
)
def test_forty_small_requests_that_inflate(events: list[object]) -> None:
    body = gzip.compress(json.dumps(events).encode())
    assert len(body) < 60_000
    tracemalloc.start()
    try:
        statuses = asyncio.run(_statuses(body))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert set(statuses) == {503}
    assert peak < BUDGET + PARSED


def test_a_body_inflates_to_a_hundred_times_its_size_at_most(site: Site) -> None:
    bomb = gzip.compress(json.dumps([event(url="x" * 2_048) for _ in range(500)]).encode())
    assert site.post(bomb, content_encoding="gzip").status_code == 413
    alike = [event(event_id=f"e-{n}", occurred_at=NOW + n) for n in range(100)]
    assert site.post(gzip.compress(json.dumps(alike).encode()), content_encoding="gzip").status_code == 200
