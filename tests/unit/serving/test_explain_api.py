"""The two routes of an event's life."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from tests.unit.serving.lives import Lives, T
from tests.unit.serving.shop import Shop


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
    assert f"put on shard-1 as {'7' * 56}.0" in answer.text
    assert re.findall(r"<script(?! src=)", answer.text) == []
    assert "style=" not in answer.text


def test_the_page_has_the_frame_of_the_others(client: TestClient) -> None:
    def frame(text: str) -> str:
        header = text.partition('<header class="top">')[2].partition("</header>")[0]
        assert header
        return header.replace(' aria-current="page"', "")

    assert frame(client.get("/explain", params={"event": "a/b"}).text) == frame(client.get("/pipeline").text)


def test_nothing_of_an_event_is_taken_for_markup_or_for_a_place_to_fill(client: TestClient) -> None:
    text = client.get("/explain", params={"event": '<i>{{main}}"?#'}).text
    assert "<i>" not in text
    assert "<h2>&lt;i&gt;{{main}}&quot;?#</h2>" in text
    assert 'href="/v1/explain/%3Ci%3E%7B%7Bmain%7D%7D%22%3F%23"' in text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/explain/unknown", 404), ("/explain?event=unknown", 404), ("/explain", 400), ("/v1/explain/down", 503)],
)
def test_what_is_answered_else(path: str, status: int, client: TestClient) -> None:
    assert client.get(path).status_code == status
