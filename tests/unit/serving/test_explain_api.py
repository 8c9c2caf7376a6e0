"""The two routes of an event's life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from clickstream.errors import RetryLater
from consumers.explain.views import Life, Put, Stretch
from serving.app import create_app
from tests.unit.serving.shop import Shop

T = 1_790_000_000_000


class Lives:
    """Knows one event; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def life(self, event_id: str, **asked: Any) -> Life:
        self.asked.append({"event_id": event_id, **asked})
        if event_id == "down":
            raise RetryLater("Kinesis: it does not answer")
        known = event_id == "a/b"
        put = Put(shard="shard-1", sequence_number="7", sub_sequence_number=0, arrived_at=T, members=1, fate="takes effect")
        return Life(
            event_id=event_id,
            made_at=None,
            type="login" if known else None,
            user_id="u" if known else None,
            session_id="s" if known else None,
            occurred_at=T if known else None,
            trace_id=None,
            searched=Stretch(None, None),
            shards_searched=["shard-1"],
            puts=[put] if known else [],
            applications=[],
            letters=None,
        )


@pytest.fixture
def lives() -> Lives:
    return Lives()


@pytest.fixture
def client(lives: Lives) -> Iterator[TestClient]:
    app = create_app(Shop(), lambda: T, lives=lives)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_a_life_as_json_never_reads_the_queue_by_itself(client: TestClient, lives: Lives) -> None:
    answer = client.get("/v1/explain/a/b?user=u")
    assert (answer.status_code, answer.json()["puts"][0]["shard"]) == (200, "shard-1")
    assert lives.asked == [{"event_id": "a/b", "user_id": "u", "with_letters": False}]
    client.get("/v1/explain/a/b?letters=1")
    assert lives.asked[-1]["with_letters"] is True


def test_a_life_as_a_page_keeps_to_the_policy(client: TestClient) -> None:
    answer = client.get("/explain", params={"event": "a/b"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "put on shard-1 as 7.0" in answer.text
    assert "<script" not in answer.text
    assert "style=" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/explain/unknown", 404), ("/explain?event=unknown", 404), ("/explain", 400), ("/v1/explain/down", 503)],
)
def test_what_is_answered_else(path: str, status: int, client: TestClient) -> None:
    assert client.get(path).status_code == status
