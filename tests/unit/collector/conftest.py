"""The application over a stream in memory, with a clock that a test sets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from clickstream.producers.collector.app import Clocks, Timeouts, create_app
from clickstream.producers.collector.bodies import Bounds
from clickstream.producers.collector.clients.fingerprints import Fingerprints
from tests.unit.collector.stream import Stream

NOW = 1_764_000_000_000
SECRET = b"a secret of the test"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0


class Site:
    """A collector and a client of it."""

    def __init__(self, **options: Any) -> None:
        self.stream = Stream()
        self.clock = Clock()
        now_ms = options.pop("now_ms", NOW)
        clocks = Clocks(monotonic=lambda: self.clock.now, wall_ms=lambda: now_ms)
        options = {"keys": None, "bounds": Bounds(), "timeouts": Timeouts(body=5.0, acknowledgement=0.2)} | options
        peer = options.pop("peer", "127.0.0.1")
        self.app = create_app(self.stream, Fingerprints(SECRET), clocks, **options)
        self.client = TestClient(self.app, base_url="http://localhost:8081", client=(peer, 50_000))

    def post(self, content: object, **headers: str) -> Any:
        """POST /v1/events; what is not bytes goes as JSON. Header names with underscores for hyphens."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/events", content=body, headers={"content-type": "application/json", **named})

    def taken(self) -> list[dict[str, Any]]:
        """The events in the stream."""
        return [json.loads(data) for _, data in self.stream.records]


@pytest.fixture
def site() -> Site:
    return Site()


def event(**fields: object) -> dict[str, Any]:
    """A valid page view, with these fields set."""
    return {"type": "page_view", "event_id": "e-1", "user_id": "u-1", "session_id": "s-1", "occurred_at": NOW, **fields}


def purchase(**fields: object) -> dict[str, Any]:
    """A valid purchase, with these fields set."""
    bought = {"order_id": "o-1", "items": [{"product_id": "p-1"}], "amount": 100, "currency": "EUR"}
    return event(**{"type": "purchase", **bought, **fields})
