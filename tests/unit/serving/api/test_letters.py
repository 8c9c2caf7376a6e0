"""Dead letters over HTTP, and what is said while the queue is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from clickstream.serving.app import create_app
from tests.unit.serving.letterbox import HOSTILE, Letterbox
from tests.unit.serving.shop import Shop


@pytest.fixture
def box() -> Letterbox:
    return Letterbox()


@pytest.fixture
def client(box: Letterbox) -> Iterator[TestClient]:
    shop = Shop()
    app = create_app(shop, shop.clock, monotonic=shop.clock, letters=box)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def test_all_who_ask_share_one_look(client: TestClient, box: Letterbox) -> None:
    first, second = (client.get("/v1/letters").json() for _ in range(2))
    assert (first, box.looks) == (second, 1)
    assert (first["visible"], first["hidden"], len(first["letters"])) == (42, 3, 42)
    assert first["letters"][-1]["reason"] == HOSTILE


def test_while_the_queue_is_away_the_answer_says_so(client: TestClient, box: Letterbox) -> None:
    box.down = True
    answer = client.get("/v1/letters")
    assert (answer.status_code, answer.json()["error"]) == (503, "SQS: it does not answer")
    assert client.get("/letters").status_code == 200


def test_a_sheet_has_a_line_for_each_letter(client: TestClient) -> None:
    lines = client.get("/v1/letters?format=csv").text.splitlines()
    assert lines[0].lstrip("\ufeff") == "id,application,shard,arrived_at,kind,reason,path,event_id"
    assert len(lines) == 43
    assert "2026-11-24T13:37:" in lines[1]


def test_without_a_queue_there_is_no_page() -> None:
    shop = Shop()
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock), base_url="http://127.0.0.1") as client:
        assert {client.get(path).status_code for path in ("/letters", "/v1/letters")} == {404}
        assert "/letters" not in client.get("/pipeline").text
