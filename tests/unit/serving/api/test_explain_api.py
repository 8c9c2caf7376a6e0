"""The two routes of an event's life."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator, MutableMapping
from typing import Any

import httpx
import msgspec
import pytest
from starlette.testclient import TestClient

from clickstream.consumers.explain.views import Life, Limit, Unread
from clickstream.serving.api import explain as explain_api
from clickstream.serving.app import create_app
from tests.unit.serving.lives import Lives, T
from tests.unit.serving.shop import Shop


@pytest.fixture
def lives() -> Lives:
    return Lives()


@pytest.fixture
def client(lives: Lives) -> Iterator[TestClient]:
    app = create_app(Shop(), lambda: T, lives=lives.life, placing=lives.placing)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_a_life_as_json_never_reads_the_queue_not_even_when_asked_to(client: TestClient, lives: Lives) -> None:
    answer = client.get("/v1/explain/a/b?user=u")
    assert (answer.status_code, answer.json()["puts"][0]["shard"]) == (200, "shard-1")
    assert client.get("/v1/explain/a/b?letters=1").status_code == 400
    assert [(each["event_id"], each["user_id"]) for each in lives.asked] == [("a/b", "u")]
    assert not any(each.get("with_letters") for each in lives.asked)


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
    [
        ("/v1/explain/unknown", 404),
        ("/explain?event=unknown", 404),
        ("/explain", 200),
        ("/explain?event=&order=", 200),
        ("/explain?order=none", 404),
        ("/v1/explain/down", 503),
        ("/explain?event=down", 503),
    ],
)
def test_what_is_answered_else(path: str, status: int, client: TestClient) -> None:
    assert client.get(path).status_code == status


def test_an_event_is_found_by_the_order_that_it_placed(client: TestClient, lives: Lives) -> None:
    answer = client.get("/explain", params={"event": "", "order": "order-1"})
    assert [each.headers["location"] for each in answer.history] == ["/explain?event=a%2Fb&user=u%26x%3D1"]
    assert (answer.status_code, lives.asked[0]["user_id"]) == (200, "u&x=1")


@pytest.mark.parametrize(
    "query", ["", "event=a/b", "event=unknown", "event=down", "order=none", "event=a%00b", "event=e&user=a%00b"]
)
def test_whatever_was_asked_the_page_has_its_form(query: str, client: TestClient) -> None:
    answer = client.get(f"/explain?{query}")
    assert '<form class="ask" id="ask" action="/explain">' in answer.text
    assert "form-action 'self'" in answer.headers["content-security-policy"]


def test_a_shops_own_answers_are_told_and_the_event_that_placed_the_order_is_a_step_away(client: TestClient) -> None:
    text = client.get("/explain?event=a/b").text
    assert "answered with; rows table wishes window 2026-09-21T14:13:20Z key &lt;sku&gt; values wishes 3" in text
    assert '<a class="id" href="/explain?event=placing">placing</a>' in text


class Endless(Lives):
    """A stream so long that only its limit ends a search of it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.ended = threading.Event()

    def life(self, event_id: str, **asked: Any) -> Life:
        limit: Limit = asked.pop("limit")
        self.begun.set()
        while not limit.reached:
            limit.rest(0.05)
        self.ended.set()
        found = super().life(event_id, **asked)
        return msgspec.structs.replace(found, not_searched=[Unread(shard="shard-1", since=T)])


def test_forty_searches_leave_all_other_questions_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain_api, "WITHIN_S", 2)
    lives = Endless()

    async def ask() -> tuple[list[httpx.Response], list[int]]:
        transport = httpx.ASGITransport(create_app(Shop(), lambda: T, lives=lives.life))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=None) as client:
            searches = [asyncio.create_task(client.get(f"/v1/explain/foo-{n}")) for n in range(40)]
            async with asyncio.timeout(10):
                while not lives.begun.is_set():
                    await asyncio.sleep(0.01)
            others = [(await client.get(path)).status_code for path in ("/healthz", "/v1/progress", "/v1/aggregates")]
            assert not lives.ended.is_set(), "answered while the searches were under way"
            return await asyncio.gather(*searches), others

    answers, others = asyncio.run(asyncio.wait_for(ask(), 20))
    assert others == [200, 200, 200]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 40 - explain_api.AT_ONCE
    assert all("Retry-After" in answer.headers for answer in refused)


def test_a_search_that_was_ended_says_what_it_did_not_read_and_not_that_there_is_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explain_api, "WITHIN_S", 0.1)
    with TestClient(create_app(Shop(), lambda: T, lives=Endless().life), base_url="http://127.0.0.1") as client:
        answer = client.get("/v1/explain/foo")
        page = client.get("/explain?event=foo")
    assert (answer.status_code, answer.json()["not_searched"]) == (200, [{"shard": "shard-1", "since": T}])
    assert page.status_code == 200
    assert "not searched" in page.text


def test_a_search_ends_when_its_client_goes() -> None:
    lives = Endless()
    app = create_app(Shop(), lambda: T, lives=lives.life)
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/v1/explain/foo", "raw_path": b"",
        "query_string": b"", "root_path": "", "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1), "server": None,
    }  # fmt: skip

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.to_thread(lives.begun.wait)
        return {"type": "http.disconnect"}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))
    assert lives.ended.is_set()


@pytest.mark.parametrize("event", ["e" * 257, "é" * 256 + "é", "€" * 200, "a%00b", "a%0Ab", "%C2%85"])
def test_an_id_that_no_event_can_have_is_not_searched_for(event: str, client: TestClient, lives: Lives) -> None:
    for path in (f"/v1/explain/{event}", f"/explain?event={event}", f"/v1/explain/e?user={event}"):
        assert client.get(path).status_code in (400, 404), path  # no route takes a line break in a path
    assert lives.asked == []
